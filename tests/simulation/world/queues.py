"""Queues and their consumers, as `template.yaml` declares them; SQS delivers at least once."""

from collections.abc import Collection

from tests.simulation.engine import Chance, Task
from tests.simulation.world.processes import SETTINGS, Processes
from tests.worlds.deployment import resources
from tests.worlds.queues import FifoQueue, Message, declared_queue

_QUEUES = {
    "commands": ("CommandsQueue", "AccountCommandsFunction", "account_commands"),
    "refresh": ("RefreshQueue", "ConnectionRefreshFunction", "read_back"),
}


class Queues(Processes):
    """The queues and their consumers."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        self.queues = {name: self._queue(name) for name in _QUEUES}
        self.working_on: dict[str, list[Task]] = {}
        """Commands under way, by connection."""
        self._polls: dict[str, float] = {}

    def _queue(self, name: str) -> FifoQueue:
        queue, consumer, _ = _QUEUES[name]
        url = SETTINGS[f"{name.upper()}_QUEUE_URL"]
        made = declared_queue(resources(), name, queue, consumer, url, changed=self._pump)
        self.aws.queues[made.url] = made
        return made

    def _pump(self, queue: FifoQueue) -> None:
        at = queue.next_visible()
        if at is None:
            return
        planned = self._polls.get(queue.name)
        if planned is not None and planned <= at:
            return
        self._polls[queue.name] = at

        def poll() -> None:
            if self._polls.get(queue.name) == at:
                del self._polls[queue.name]
                self._poll(queue)

        delay = at - self.aws.seconds() + 0.01
        self.engine.after(max(0.01, delay), poll)

    def _poll(self, queue: FifoQueue) -> None:
        function = _QUEUES[queue.name][2]
        while len(self.running[function]) < queue.concurrency:
            taken = queue.take(self.aws.seconds())
            if not taken:
                break
            self._deliver(queue, function, taken)
        self._pump(queue)

    def _deliver(self, queue: FifoQueue, function: str, taken: list[Message]) -> None:
        name = f"{taken[0].group}/{taken[0].receives}"
        event = {"Records": [message.record() for message in taken]}
        key = f"{taken[0].id}/{taken[0].receives}"
        copies = 2 if self.chance.happens("SQS delivers twice", key) else 1
        outcomes: list[Task] = []

        def ended(task: Task) -> None:
            if queue.name == "commands":
                self.working_on[taken[0].group].remove(task)
            outcomes.append(task)
            if len(outcomes) < copies:
                return
            for message in taken:
                if all(self._handled(done, message) for done in outcomes):
                    if self.chance.happens("SQS forgets a deletion", f"{key}/{message.id}"):
                        self.engine.tell(f"SQS will deliver {message.id} again although it was handled")
                    else:
                        queue.delete(message)
            self._pump(queue)

        if copies == 2:
            self.engine.tell(f"SQS delivers {taken[0].id} twice at once")
        for _ in range(copies):
            task = self.invoke(function, event, name, ended)
            if queue.name == "commands":
                self.working_on.setdefault(taken[0].group, []).append(task)

    def _handled(self, task: Task, message: Message) -> bool:
        if not task.finished or task.error is not None:
            return False
        return message.id not in {failure["itemIdentifier"] for failure in task.result["batchItemFailures"]}
