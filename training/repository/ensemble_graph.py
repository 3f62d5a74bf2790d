"""Checks an ensemble against the models that it joins: versions, tensors and the known traps."""

from collections.abc import Iterable, Iterator, Mapping

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelEnsembling, ModelInput, ModelOutput

from training.repository.defect import Defect

Signature = tuple[str, tuple[int, ...]]
"""Dtype and dims of a tensor."""


def lint_ensemble(config: ModelConfig, models: Mapping[str, ModelConfig], file: str) -> Iterator[Defect]:
    """Yield what keeps Triton from running the ensemble, or from running the one that was meant.

    Args:
        config: the ensemble's configuration.
        models: the configurations of all models of the repository, by name.
        file: names the ensemble's configuration in each defect.
    """
    tensors = {tensor.name: _signature(tensor) for tensor in config.input}
    consumed: set[str] = set()
    for step in config.ensemble_scheduling.step:
        if step.model_name not in models:
            yield Defect(
                file,
                f"A step names the model {step.model_name!r}, which is not in this repository.",
                "Add the model, or correct the step.",
            )
            continue
        model = models[step.model_name]
        yield from _lint_version(step, model, file)
        yield from _lint_inputs(step, model, tensors, file)
        yield from _lint_outputs(step, model, tensors, file)
        consumed |= set(step.input_map.values())
    yield from _lint_front_door(config, tensors, consumed, file)


def _lint_version(step: ModelEnsembling.Step, model: ModelConfig, file: str) -> Iterator[Defect]:
    listed = list(model.version_policy.specific.versions)
    if step.model_version not in listed:
        named = "no exact version" if step.model_version < 1 else f"version {step.model_version}"
        yield Defect(
            file,
            f"The step {step.model_name} names {named}; its configuration lists {_listing(listed)}.",
            f"Name one of those versions, or list the version in {step.model_name}/config.pbtxt.",
        )


def _lint_inputs(
    step: ModelEnsembling.Step, model: ModelConfig, tensors: Mapping[str, Signature], file: str
) -> Iterator[Defect]:
    """Yield where a step does not get its model's inputs, each of the right kind; optional ones may lack."""
    expected = {tensor.name: _signature(tensor) for tensor in model.input}
    yield from _lint_names(step, "input", step.input_map, expected, file)
    needed = {tensor.name for tensor in model.input if not tensor.optional}
    for name in sorted(needed - set(step.input_map)):
        yield Defect(
            file,
            f"The step {step.model_name} gets no {name!r}.",
            "Add it to the step's input_map.",
        )
    for name, source in step.input_map.items():
        if source not in tensors:
            yield Defect(
                file,
                f"The step {step.model_name} reads {source!r}, which no earlier step makes.",
                "Correct the name, or the order of the steps.",
            )
        elif name in expected and not _agree(expected[name], tensors[source]):
            yield Defect(
                file,
                f"The step {step.model_name} takes {name!r} as {_text(expected[name])}, "
                f"but {source!r} is {_text(tensors[source])}.",
                "Make the two configurations agree.",
            )


def _lint_outputs(
    step: ModelEnsembling.Step, model: ModelConfig, tensors: dict[str, Signature], file: str
) -> Iterator[Defect]:
    """Yield outputs that the step's model does not have; add the others to `tensors`."""
    made = {tensor.name: _signature(tensor) for tensor in model.output}
    yield from _lint_names(step, "output", step.output_map, made, file)
    tensors.update({target: made[name] for name, target in step.output_map.items() if name in made})


def _lint_names(
    step: ModelEnsembling.Step, role: str, used: Iterable[str], existing: Iterable[str], file: str
) -> Iterator[Defect]:
    existing = set(existing)
    for name in sorted(set(used) - existing):
        yield Defect(
            file,
            f"The step {step.model_name} maps the {role} {name!r}; "
            f"the model has {_listing(sorted(existing))}.",
            f"Correct the step's {role}_map.",
        )


def _lint_front_door(
    config: ModelConfig, tensors: Mapping[str, Signature], consumed: set[str], file: str
) -> Iterator[Defect]:
    """Yield what is wrong with the ensemble's outputs, and tensors that nothing uses."""
    outputs = {tensor.name: _signature(tensor) for tensor in config.output}
    for name, signature in outputs.items():
        if name not in tensors:
            yield Defect(file, f"No step makes the output {name!r}.", "Map a step's output to it.")
        elif not _agree(signature, tensors[name]):
            yield Defect(
                file,
                f"The output {name!r} is configured as {_text(signature)}; "
                f"its step makes {_text(tensors[name])}.",
                "Make the two configurations agree.",
            )
        if name in consumed:
            yield Defect(
                file,
                f"The output {name!r} is also a step's input: requests for a part of the outputs would hang.",
                "Give the inner tensor a name of its own and let the last step pass it on.",
            )
    for name in sorted(set(tensors) - consumed - set(outputs)):
        yield Defect(
            file, f"Nothing uses the tensor {name!r}: Triton refuses that.", "Remove it from the map."
        )


def _signature(tensor: ModelInput | ModelOutput) -> Signature:
    return DataType.Name(tensor.data_type), tuple(tensor.dims)


def _agree(one: Signature, other: Signature) -> bool:
    """Whether two tensors can be the same one: -1 agrees with every size."""
    return (
        one[0] == other[0]
        and len(one[1]) == len(other[1])
        and all(-1 in (a, b) or a == b for a, b in zip(one[1], other[1], strict=True))
    )


def _text(signature: Signature) -> str:
    return f"{signature[0]} {list(signature[1])}"


def _listing(items: Iterable[object]) -> str:
    return ", ".join(map(str, items)) or "none"
