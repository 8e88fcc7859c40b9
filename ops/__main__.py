"""`python -m ops <command>`: operations on a deployed stack. See the Makefile, which is how people call it.

The stack is found with the AWS settings of the environment; the offline system prints some that lead to itself.
"""

import argparse
import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

from ops import dead_letters, orphans
from ops.system import System
from shared.domain.errors import StoreUnavailable


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 stopped with one line on standard error; argparse itself ends with 2."""
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    stack = argparse.ArgumentParser(add_help=False)
    named = os.environ.get("STACK")
    stack.add_argument("--stack", default=named, required=not named, help="its CloudFormation name; else $STACK")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dead-letters", parents=[stack], help="list what could not be consumed")
    commands.add_parser("orphans", parents=[stack], help="list users at Powens whom nobody here owns")
    replay = commands.add_parser("replay-dlq", parents=[stack], help="send dead letters back, once the cause is mended")
    replay.add_argument("queue", choices=dead_letters.PLACES)
    given = parser.parse_args(arguments)
    try:
        system = System.of(given.stack)
        match given.command:
            case "dead-letters":
                _list_dead_letters(system)
            case "orphans":
                _list_orphans(system)
            case _:
                print(f"{dead_letters.replay(system, given.queue)} sent back from {given.queue}")
    except (dead_letters.CannotReplay, BotoCoreError, ClientError, StoreUnavailable) as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    return 0


def _list_dead_letters(system: System) -> None:
    found, behind = dead_letters.look(system)
    for letter in found:
        print(letter)
    if behind:
        print(f"and {behind} more, behind them in their groups or being looked at by somebody else")
    if not found and not behind:
        print("no dead letters")


def _list_orphans(system: System) -> None:
    listing = orphans.listing(system)
    if listing is None:
        print("no check has run yet")
        return
    for powens_user_id, since in sorted(listing.suspects.items(), key=lambda suspect: suspect[1]):
        print(f"{powens_user_id:>12}  since {since:%Y-%m-%dT%H:%M:%SZ}")
    print(f"{len(listing.suspects)} without an owner, checked at {listing.checked_at:%Y-%m-%dT%H:%M:%SZ}")


if __name__ == "__main__":
    sys.exit(main())
