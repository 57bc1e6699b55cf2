"""Insertion and queries of chromadb: ``PYTHON bench/banks/chroma.py VECTORS QUERIES FOLDER [HOST:PORT]``.

Run by an interpreter that has chromadb: in its own process over a folder, or, where an address is given, as a client of
the server there. Prints one line of JSON: inserts per second, the median of a query in milliseconds, and the rows that
each query found.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import chromadb  # type: ignore[import-not-found,unused-ignore]  # not one of the project's packages
import numpy as np

BATCH = 1000


def main(vectors_file: str, queries_file: str, folder: str, address: str = "") -> None:
    """Insert all vectors with a text each, then search."""
    vectors, queries = np.load(vectors_file), np.load(queries_file)
    host, _, port = address.rpartition(":")
    client = chromadb.HttpClient(host, int(port)) if address else chromadb.PersistentClient(path=folder)
    made = client.create_collection("bench", metadata={"hnsw:space": "cosine"})
    began = time.perf_counter()
    for start in range(0, len(vectors), BATCH):
        some = vectors[start : start + BATCH]
        names = [str(start + number) for number in range(len(some))]
        made.add(ids=names, embeddings=some, documents=[f"vector {name}" for name in names])
    rate = len(vectors) / (time.perf_counter() - began)
    took, found = [], []
    for query in queries:
        began = time.perf_counter()
        answer = made.query(query_embeddings=[query], n_results=10, include=["documents", "metadatas", "distances"])
        took.append((time.perf_counter() - began) * 1e3)
        found.append([int(name) for name in answer["ids"][0]])
    print(json.dumps({"rate": rate, "p50": median(took[len(took) // 10 :]), "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:5])
