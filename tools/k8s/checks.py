"""What is checked of the rendered objects; every check yields a line for each problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import jsonschema
import kubernetes_validate

from tools.k8s.charts import RELEASE, ROOT, Object, Rendered
from tools.k8s.crds import SPECS

VERSIONS: Final = ("1.25", "1.37")
"""The oldest and the newest version of Kubernetes that the objects have to fit."""
QUANTITY: Final = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
ADDRESS: Final = re.compile(r"\"ALTIPLANO_([A-Z]+)_ADDRESS\"")
SETTING: Final = re.compile(r"\bsetting\(\s*\"([A-Z][A-Z0-9_]*)\"")
PREFIX: Final = "ALTIPLANO_"
PATH: Final = re.compile(r"\"(/[a-z]+)\"")
SERVERS: Final = ("Deployment", "StatefulSet")
WORKLOADS: Final = (*SERVERS, "Job")


def named(entry: Object) -> str:
    """Return how a problem names an object."""
    return f"{entry['kind']} {entry['metadata']['name']}"


def schemas(chart: Rendered) -> Iterator[str]:
    """Hold every object against the schema of its kind."""
    for entry in chart.objects:
        own = SPECS.get((entry["apiVersion"], entry["kind"]))
        if own is not None:
            found = sorted(jsonschema.Draft202012Validator(own).iter_errors(entry["spec"]), key=str)
            yield from (f"{named(entry)}: {problem.json_path} {problem.message}" for problem in found)
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(entry, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{named(entry)}: Kubernetes {version}: {error.message}"


def names(chart: Rendered) -> Iterator[str]:
    """No two objects of a kind share a name."""
    seen = set()
    for entry in chart.objects:
        key = (entry["kind"], entry["metadata"]["name"])
        if key in seen:
            yield f"{named(entry)}: made twice"
        seen.add(key)


def pods(chart: Rendered) -> Iterator[tuple[Object, Object]]:
    """Yield every workload with its pod template."""
    for entry in chart.kind(*WORKLOADS):
        yield entry, entry["spec"]["template"]


def selected(chart: Rendered, selector: dict[str, str]) -> bool:
    """Tell whether some pod has the labels."""
    return any(selector.items() <= template["metadata"]["labels"].items() for _, template in pods(chart))


def selectors(chart: Rendered) -> Iterator[str]:
    """Every selector finds a pod, and a workload its own."""
    for entry, template in pods(chart):
        labels = template["metadata"]["labels"]
        if entry["kind"] in SERVERS and not entry["spec"]["selector"]["matchLabels"].items() <= labels.items():
            yield f"{named(entry)}: selects other pods than its own"
    for entry in chart.kind("Service"):
        if not selected(chart, entry["spec"]["selector"]):
            yield f"{named(entry)}: selects no pod"
    for entry in chart.kind("PodDisruptionBudget"):
        if not selected(chart, entry["spec"]["selector"]["matchLabels"]):
            yield f"{named(entry)}: selects no pod"
    workloads = {entry["metadata"]["name"] for entry in chart.kind(*WORKLOADS)}
    for entry in chart.kind("HorizontalPodAutoscaler", "ScaledObject"):
        if entry["spec"]["scaleTargetRef"]["name"] not in workloads:
            yield f"{named(entry)}: scales nothing"


def references(chart: Rendered) -> Iterator[str]:
    """Ports, accounts and volumes that are named exist."""
    ports = {
        entry["metadata"]["name"]: {port["name"] for port in container.get("ports", [])}
        for entry, template in pods(chart)
        for container in template["spec"]["containers"]
    }
    for entry in chart.kind("Service"):
        known = ports.get(entry["metadata"]["name"], set())
        yield from (
            f"{named(entry)}: port {port['targetPort']} is not the pod's"
            for port in entry["spec"]["ports"]
            if port["targetPort"] not in known
        )
    accounts = {entry["metadata"]["name"] for entry in chart.kind("ServiceAccount")}
    claims = {entry["metadata"]["name"] for entry in chart.kind("PersistentVolumeClaim")}
    for entry, template in pods(chart):
        account = template["spec"].get("serviceAccountName")
        if account is not None and account not in accounts:
            yield f"{named(entry)}: there is no ServiceAccount {account}"
        for volume in template["spec"].get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and claim not in claims:
                yield f"{named(entry)}: there is no PersistentVolumeClaim {claim}"


def owners(chart: Rendered) -> Iterator[str]:
    """A volume that one node mounts at a time is left by the old pod before the new one comes."""
    claims = {entry["metadata"]["name"]: entry["spec"]["accessModes"] for entry in chart.kind("PersistentVolumeClaim")}
    for entry in chart.kind("Deployment"):
        used = [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in entry["spec"]["template"]["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        ]
        strategy = entry["spec"]["strategy"]
        waits = strategy["type"] == "Recreate" or strategy["rollingUpdate"].get("maxSurge") == 0
        single = [name for name in used if claims.get(name) == ["ReadWriteOnce"]]
        if single and not waits:
            yield f"{named(entry)}: old and new pod want {single} at once"
        if single and entry["spec"].get("replicas", 2) > 1:
            yield f"{named(entry)}: several pods want {single}"


def quantities(chart: Rendered) -> Iterator[str]:
    """Amounts parse, and requests stay within limits where both are given."""

    def walk(where: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in {"requests", "limits"} and isinstance(inner, dict):
                    yield from (
                        f"{where}: {name}.{kind}: {amount!r} is no quantity"
                        for kind, amount in inner.items()
                        if not QUANTITY.fullmatch(str(amount))
                    )
                else:
                    yield from walk(where, inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(where, inner)

    for entry in chart.objects:
        yield from walk(named(entry), entry.get("spec"))


def hardening(chart: Rendered) -> Iterator[str]:
    """Every container is confined, limited and probed."""
    for entry, template in pods(chart):
        spec = template["spec"]
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{named(entry)}: mounts a token of its ServiceAccount"
        if spec["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{named(entry)}: has no seccomp profile"
        for container in spec["containers"]:
            confined = container["securityContext"]
            wanted = {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }
            if confined != wanted:
                yield f"{named(entry)}: container {container['name']} is not confined"
            if "memory" not in container["resources"].get("limits", {}):
                yield f"{named(entry)}: container {container['name']} has no memory limit"
            if entry["kind"] in SERVERS and not {"readinessProbe", "livenessProbe"} <= container.keys():
                yield f"{named(entry)}: container {container['name']} is not probed"


def code_settings(process: str) -> set[str]:
    """Return the variables that the code of a process reads, each of the names that a setting may be given by."""
    own = ROOT / ("gateway" if process == "gateway" else f"services/{process}")
    texts = [path.read_text() for folder in (ROOT / "mesh", own) for path in folder.rglob("*.py")]
    found = {name for text in texts for name in SETTING.findall(text)}
    general = {name if name.startswith(PREFIX) else f"{PREFIX}{name}" for name in found}
    special = {f"{PREFIX}{process.upper()}_{name}" for name in found if not name.startswith(PREFIX)}
    return {f"{name}{kind}" for name in general | special for kind in ("", "_FILE")}


def settings(chart: Rendered) -> Iterator[str]:
    """Every variable of the project that a container is given is a setting of its process, given once."""
    for entry, template in pods(chart):
        for container in template["spec"]["containers"]:
            given = [variable["name"] for variable in container.get("env", [])]
            yield from (
                f"{named(entry)}: {name} is given twice" for name in sorted(set(given)) if given.count(name) > 1
            )
            process = container["image"].rpartition("/")[2].partition(":")[0].removeprefix("altiplano-")
            own = [name for name in given if name.startswith(PREFIX)]
            unknown = set(own) - (code_settings(process.removesuffix("-cuda")) if own else set())
            yield from (f"{named(entry)}: the code knows no setting {name}" for name in sorted(unknown))


def code_arrows() -> dict[str, set[str]]:
    """Return which services each service calls, by the addresses that its settings know."""
    found = {}
    for path in sorted((ROOT / "services").glob("*/config.py")):
        own = path.parent.name
        found[own] = {name.lower() for name in ADDRESS.findall(path.read_text())} - {own}
    return found


def arrows(chart: Rendered) -> Iterator[str]:
    """The arrows of the values are those of the code, and the network policies let through just those."""
    services = chart.values["services"]
    kept = {"eval"} if chart.values["telemetry"]["record"] else set[str]()
    for process, called in code_arrows().items():
        listed = set(services[process].get("calls", []))
        if listed != called:
            yield f"services.{process}.calls: {sorted(listed)}, but the code calls {sorted(called)}"
    if set(services["gateway"]["calls"]) != services.keys() - {"gateway"}:
        yield "services.gateway.calls: the gateway calls every service"
    policies = {
        entry["metadata"]["labels"]["app.kubernetes.io/component"]: entry for entry in chart.kind("NetworkPolicy")
    }
    for process, service in services.items():
        callers = {other for other, entry in services.items() if process in entry.get("calls", [])}
        if process in kept:
            # each process sends its spans there, but the keeper keeps its own
            callers |= (services.keys() | {f"model-{key}" for key in chart.values["models"]}) - kept
        let_in = admitted(policies[process], service["port"])
        if let_in != callers:
            yield f"NetworkPolicy of {process}: admits {sorted(let_in)}, not {sorted(callers)}"
        called, others = set(service.get("calls", [])), reached(policies[process]) & services.keys()
        called |= kept - {process}
        if others != called:
            yield f"NetworkPolicy of {process}: lets out to {sorted(others)}, not {sorted(called)}"


def reached(policy: Object) -> set[str]:
    """Return the parts whose pods a policy lets out to."""
    return {
        target["podSelector"]["matchLabels"].get("app.kubernetes.io/component", "")
        for rule in policy["spec"]["egress"]
        for target in rule.get("to", [])
        if "podSelector" in target
    }


def admitted(policy: Object, port: int) -> set[str]:
    """Return the parts whose pods a policy lets in at a port; the pods of the Ray cluster do training's work."""
    return {
        source["podSelector"]["matchLabels"].get("app.kubernetes.io/component", "training")
        for rule in policy["spec"]["ingress"]
        if any(entry["port"] == port for entry in rule["ports"])
        for source in rule.get("from", [])
        if "podSelector" in source
    }


def edges(chart: Rendered) -> Iterator[str]:
    """What callers from outside reach knows their API keys and the issuer of their tokens, and nothing else does."""
    if not chart.values["auth"]["enabled"]:
        return
    told = {"ALTIPLANO_API_KEYS_FILE"}
    if chart.values["auth"]["jwt"]["issuer"]:
        told |= {"ALTIPLANO_JWT_ISSUER", "ALTIPLANO_JWT_AUDIENCE"}
    routes = [rule for entry in chart.kind("HTTPRoute", "GRPCRoute") for rule in entry["spec"]["rules"]]
    reached_by = {backend["name"] for rule in routes for backend in rule["backendRefs"]} | {f"{RELEASE}-gateway"}
    policies = {entry["metadata"]["name"]: entry for entry in chart.kind("NetworkPolicy")}
    for entry in chart.kind("Deployment"):
        name, container = entry["metadata"]["name"], entry["spec"]["template"]["spec"]["containers"][0]
        given = {variable["name"] for variable in container["env"]} & {*told, "ALTIPLANO_JWT_ISSUER"}
        if given != (told if name in reached_by else set()):
            yield f"{named(entry)}: knows its callers by {sorted(given)}"
        if "ALTIPLANO_JWT_ISSUER" in given and not any(
            "ipBlock" in target for rule in policies[name]["spec"]["egress"] for target in rule.get("to", [])
        ):
            yield f"{named(entry)}: can't ask the issuer of tokens for its keys"


def deployables(chart: Rendered) -> Iterator[str]:
    """Ports, areas and health names are those of the code."""
    text = (ROOT / "cli/deployables.py").read_text()
    for process, service in chart.values["services"].items():
        entry = re.search(rf'Deployable\(\s*"{process}",(.*?)\n    \)', text, re.DOTALL) or re.search(
            rf'Deployable\("{process}",(.*)\)', text
        )
        if entry is None:
            yield f"services.{process}: there is no such deployable"
            continue
        if str(service["port"]) not in re.findall(r"\d+", entry.group(1)):
            yield f"services.{process}.port: {service['port']} is not the code's"
        quoted = set(re.findall(r'"([\w.]+)"', entry.group(1)))
        missing = (set(service.get("areas", [])) | set(filter(None, [service.get("ready")]))) - quoted
        yield from (f"services.{process}: the code knows no {name}" for name in sorted(missing))


def probes(chart: Rendered) -> Iterator[str]:
    """What a probe of a deployable asks for is there: paths of the gateway, programs, health names that are ready."""
    paths = {path for file in (ROOT / "gateway").rglob("*.py") for path in PATH.findall(file.read_text())}
    ready = {service.get("ready") for service in chart.values["services"].values()}
    for entry in chart.kind("Deployment"):
        for container in entry["spec"]["template"]["spec"]["containers"]:
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container[kind]
                command = probe.get("exec", {}).get("command", [])
                path, name = probe.get("httpGet", {}).get("path"), probe.get("grpc", {}).get("service")
                if path is not None and path not in paths:
                    yield f"{named(entry)}: the gateway knows no {path}"
                if name is not None and name not in ready:
                    yield f"{named(entry)}: {name} is no service that gets ready"
                if command and not (ROOT / f"{command[2].replace('.', '/')}.py").exists():
                    yield f"{named(entry)}: {command} is no program of the code"
                if not command and path is None and "grpc" not in probe:
                    yield f"{named(entry)}: {kind} asks nothing"


def migrations(chart: Rendered) -> Iterator[str]:
    """Where services share a PostgreSQL, a job of each with state runs before upgrades, and no Service finds it."""
    shared = any(chart.values["postgresql"][name] for name in ("enabled", "external"))
    stateful = {name for name, service in chart.values["services"].items() if service.get("stateful")}
    jobs = {}
    for entry in chart.kind("Job"):
        command = entry["spec"]["template"]["spec"]["containers"][0]["command"]
        jobs[command[2].removeprefix("services.")] = entry
        if command[:2] != ["python", "-m"] or command[3] != "migrate":
            yield f"{named(entry)}: {command} is not the command of the code"
        if entry["metadata"]["annotations"]["helm.sh/hook"] != "pre-upgrade":
            yield f"{named(entry)}: does not run before an upgrade"
        labels = entry["spec"]["template"]["metadata"]["labels"]
        if any(service["spec"]["selector"].items() <= labels.items() for service in chart.kind("Service")):
            yield f"{named(entry)}: gets calls"
    if jobs.keys() != (stateful if shared else set()):
        yield f"migrations: jobs of {sorted(jobs)}, but {sorted(stateful)} have tables"


CHECKS: Final[tuple[Callable[[Rendered], Iterator[str]], ...]] = (
    schemas,
    names,
    selectors,
    references,
    owners,
    quantities,
    hardening,
    settings,
    arrows,
    edges,
    deployables,
    probes,
    migrations,
)
