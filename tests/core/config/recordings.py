"""The recorded conversations with the original server, as far as they show configurations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "conformance"
SCENARIOS = ("10_experiments", "11_preview", "12_listing", "13_trials_metrics", "14_checkpoints_models", "16_ntsc")


def steps(scenario: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The requests of a scenario with their recorded answers."""
    asked = json.loads((_FOLDER / "scenarios" / f"{scenario}.json").read_text())["steps"]
    told = {step["id"]: step for step in json.loads((_FOLDER / "golden" / f"{scenario}.json").read_text())["steps"]}
    return ((step, told[step["id"]]) for step in asked)


def differences(told: Any, ours: Any, path: str = "") -> list[str]:
    """Where our answer is not what was recorded; `<string>` and the like stand for any value of that type."""
    if isinstance(told, dict):
        if not isinstance(ours, dict) or set(told) != set(ours):
            return [f"{path}: keys {told} / {ours}"]
        return [line for key in told for line in differences(told[key], ours[key], f"{path}.{key}")]
    if told == "<object>":
        return [] if isinstance(ours, dict) else [f"{path}: {ours} is no object"]
    if told == "<array>":
        return [] if isinstance(ours, list) else [f"{path}: {ours} is no list"]
    if isinstance(told, str) and "<string>" in told:
        return [] if isinstance(ours, str) else [f"{path}: {ours} is no text"]
    if path.endswith(".labels"):
        told, ours = sorted(told), sorted(ours)
    if isinstance(told, list) and isinstance(ours, list) and len(told) == len(ours):
        return [
            line for index, pair in enumerate(zip(told, ours, strict=True)) for line in differences(*pair, f"{path}[{index}]")
        ]
    numbers = {type(told), type(ours)} <= {int, float}
    return [] if told == ours and (numbers or type(told) is type(ours)) else [f"{path}: {told} / {ours}"]
