"""Reads ``hyperparam_search_config``: which numbers of the request vary, and how trials are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from llamastack.post_training.v1.training_config_pb2 import FINETUNING_ALGORITHM_FULL
from mesh import json_text
from mesh.errors import InvalidField
from services.training.recipe.spec import Dimension, Search
from services.training.recipe.trials import drawn

T = TypeVar("T", bound=Message)
FIELD: Final = "hyperparam_search_config"
_MEMBERS: Final = ("parameters", "num_samples", "max_concurrent", "metric", "mode")
_BOUNDS: Final = ("min", "max", "log")
# the request's numbers: where they are in a spec, and whether they are whole
NUMBERS: Final = {
    "optimizer_config.lr": ("optimizer.lr", False),
    "optimizer_config.lr_min": ("optimizer.lr_min", False),
    "optimizer_config.weight_decay": ("optimizer.weight_decay", False),
    "training_config.n_epochs": ("loop.epochs", True),
    "training_config.n_iters": ("loop.iterations", True),
    "training_config.batch_size": ("loop.batch_size", True),
    "algorithm_config.rank": ("adapter.rank", True),
    "algorithm_config.alpha": ("adapter.alpha", True),
    "lora_config.rank": ("adapter.rank", True),
    "lora_config.alpha": ("adapter.alpha", True),
    "algorithm_config.reward_scale": ("preference.beta", False),
    "algorithm_config.reward_clip": ("preference.clip", False),
    "algorithm_config.epsilon": ("preference.smoothing", False),
    "algorithm_config.gamma": ("preference.rejected_weight", False),
    "options.warmup_iters": ("optimizer.warmup", True),
    "options.max_gradient_norm": ("optimizer.max_gradient_norm", False),
    "options.seed": ("loop.seed", True),
}


_MEASURED: Final = {
    "PostTrainingSftRequest": ("loss", "token_accuracy"),
    "PostTrainingRlhfRequest": ("loss", "margin", "accuracy"),
}


def search_of(request: Any) -> Search | None:
    """Return the search that a request asks for, None for none.

    What its trials try is not looked at; see :func:`trials`.

    Raises:
        InvalidField: it is not one.
    """
    given = {name: json.loads(json_text.write(value)) for name, value in request.hyperparam_search_config.items()}
    if not given:
        return None
    for name in given:
        if name not in _MEMBERS:
            raise InvalidField(f"{FIELD}.{name}", f"one of {', '.join(_MEMBERS)}")
    parameters = given.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise InvalidField(f"{FIELD}.parameters", "an object that names at least one number of the request")
    for path in parameters:
        _check_there(request, path)
    dimensions = tuple(_dimension(path, space) for path, space in sorted(parameters.items()))
    mode = given.get("mode", "min")
    metric = given.get("metric", "validation_loss")
    if mode not in ("min", "max"):
        raise InvalidField(f"{FIELD}.mode", "min or max")
    measured = _MEASURED[type(request).__name__]
    names = (*measured, *(f"validation_{name}" for name in measured))
    if metric not in names:
        raise InvalidField(f"{FIELD}.metric", f"one of {', '.join(names)}")
    samples = _count(given, "num_samples", 8)
    return Search(dimensions, samples, _count(given, "max_concurrent", 1), metric, mode)


def trials(request: T, search: Search) -> Iterator[T]:
    """Yield what each trial of a request's search asks for: the request with the numbers that it tries."""
    asked: Any = request
    paths = sorted(json.loads(json_text.write(asked.hyperparam_search_config["parameters"])))
    for number in range(search.samples):
        made = type(request)()
        made.CopyFrom(request)
        made.ClearField("hyperparam_search_config")
        for path, value in zip(paths, drawn(search, asked.options.seed, number), strict=True):
            part, _, name = path.partition(".")
            setattr(getattr(made, part), name, value)
        yield made


def _check_there(request: Any, path: str) -> None:
    """Make sure that a request has the number that its search varies."""
    part, _, name = path.partition(".")
    field = f"{FIELD}.parameters.{path}"
    if path not in NUMBERS:
        raise InvalidField(field, f"one of {', '.join(NUMBERS)}")
    message = request.DESCRIPTOR.fields_by_name.get(part)
    there = message is not None and name in message.message_type.fields_by_name
    if not there or (part.endswith("_config") and not request.HasField(part)):
        raise InvalidField(field, "a number that this request has")
    if part == "algorithm_config" and request.algorithm == FINETUNING_ALGORITHM_FULL and name in ("rank", "alpha"):
        raise InvalidField(field, "a number that the algorithm uses; full has no adapters")


def _count(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise InvalidField(f"{FIELD}.{name}", "an integer from 1 to 1000")
    return value


def _dimension(path: str, space: Any) -> Dimension:
    field = f"{FIELD}.parameters.{path}"
    target, whole = NUMBERS[path]
    if not isinstance(space, dict):
        raise InvalidField(field, 'an object {"min", "max", "log"} or {"values": [...]}')
    if "values" in space:
        values = space["values"]
        if set(space) != {"values"} or not isinstance(values, list) or not values or not all(map(_number, values)):
            raise InvalidField(f"{field}.values", "a list of numbers, alone")
        if whole and any(value != int(value) for value in values):
            raise InvalidField(f"{field}.values", "integers")
        return Dimension(target, values=tuple(float(value) for value in values), whole=whole)
    low: Any = space.get("min")
    high: Any = space.get("max")
    log = space.get("log", False)
    if set(space) - set(_BOUNDS) or not _number(low) or not _number(high) or low >= high:
        raise InvalidField(field, "numbers min and max, the first below the second")
    if not isinstance(log, bool) or (log and low <= 0):
        raise InvalidField(f"{field}.log", "true or false, and true for a min above 0 alone")
    return Dimension(target, low=float(low), high=float(high), log=log, whole=whole)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
