"""The calls of attacks, as the benchmark has them."""

from __future__ import annotations

from typing import Any

from agentdojo.base_tasks import BaseInjectionTask
from agentdojo.functions_runtime import TaskEnvironment
from agentdojo.task_suite.task_suite import TaskSuite


def calls_of(
    suite: TaskSuite[Any], attack: BaseInjectionTask[Any], scene: TaskEnvironment
) -> list[tuple[str, dict[str, Any]]]:
    """What the model does that falls for the attack in this scene: names of tools, and arguments."""
    return [(call.function, dict(call.args)) for call in attack.ground_truth(scene.model_copy(deep=True))]
