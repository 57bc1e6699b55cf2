"""The settings of datasets: where they may come from, where they are kept and what one may take."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.config import setting


@dataclass(frozen=True)
class DatasetConfig:
    """Everything about datasets."""

    store_url: str = setting(
        "DATASET_STORE_URL", "", "Folder of the rows, as s3://bucket/folder; empty for a folder in DATA."
    )
    file_roots: tuple[str, ...] = setting("FILE_ROOTS", (), "Folders that file: URLs may lie in; none by default.")
    private_hosts: tuple[str, ...] = setting(
        "PRIVATE_HOSTS", (), "Names of hosts that may be fetched from though their addresses are not public."
    )
    own_prefixes: tuple[str, ...] = setting(
        "OWN_PREFIXES", (), "Prefixes of s3:, gs: and hf: URLs that are read with the service's credentials."
    )
    s3_endpoint: str = setting("S3_ENDPOINT", "", "URL of the S3 server; empty for Amazon's.")
    hub_endpoint: str = setting("HUB_ENDPOINT", "https://huggingface.co", "URL of the Hugging Face hub.")
    hub_token: str | None = setting("HUB_TOKEN", None, "Token of the hub, for OWN_PREFIXES.", secret=True)
    fetch_timeout_s: float = setting("FETCH_TIMEOUT_S", 60.0, "Seconds for each wait for a host's bytes.")
    max_dataset_bytes: int = setting("MAX_DATASET_BYTES", 64 * 2**30, "Bytes of one file that becomes a dataset.")
    max_row_bytes: int = setting("MAX_ROW_BYTES", 8 * 2**20, "Bytes of one row of JSON lines or CSV.")
    read_memory_mib: int = setting("READ_MEMORY_MIB", 2048, "Memory of the process that reads a dataset, in MiB.")
    reads_at_once: int = setting("READS_AT_ONCE", 2, "Datasets that are read at a time; others wait.")

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        if self.fetch_timeout_s <= 0 or self.reads_at_once < 1:
            raise ValueError("FETCH_TIMEOUT_S and READS_AT_ONCE are positive")
        if not 1024 <= self.max_row_bytes <= 2**30 or self.max_dataset_bytes < 1024:
            raise ValueError("MAX_ROW_BYTES is 1024 to 1 GiB, MAX_DATASET_BYTES at least 1024")
        if self.read_memory_mib < 1024:
            raise ValueError("READ_MEMORY_MIB: at least 1024 is needed")
