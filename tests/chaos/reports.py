"""A program of the facility that reports scans over HTTP, and asks again until it was heard."""

import queue
import threading
import time
from http import HTTPStatus

import httpx

RETRY_SECONDS = 1.0
TIMEOUT = 10.0


class Reports(threading.Thread):
    """Posts what is put into it, in order, each until it is accepted.

    Parameters
    ----------
    address : str
        Of the API.
    token : str
        With which it is allowed.
    """

    def __init__(self, address: str, token: str) -> None:
        super().__init__(name="reports", daemon=True)
        self.refused: list[str] = []
        self.tries = self.accepted = 0
        self._address = f"{address}/api/arrivals"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._waiting: queue.Queue[dict[str, object]] = queue.Queue()

    def put(self, **report: object) -> None:
        """Report something, soon."""
        self._waiting.put(report)

    def all_heard(self) -> bool:
        """Tell whether nothing waits any more."""
        return not self._waiting.unfinished_tasks

    def run(self) -> None:
        """Post for ever."""
        while True:
            report = self._waiting.get()
            while not self._accepted(report):
                time.sleep(RETRY_SECONDS)
            self._waiting.task_done()

    def _accepted(self, report: dict[str, object]) -> bool:
        self.tries += 1
        try:
            answer = httpx.post(self._address, json=report, headers=self._headers, timeout=TIMEOUT)
        except httpx.TransportError:
            return False
        if answer.is_client_error:  # asking again would not help
            self.refused.append(f"{answer.status_code} {answer.text}")
            return True
        self.accepted += answer.status_code == HTTPStatus.ACCEPTED
        return answer.is_success
