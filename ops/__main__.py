"""`python -m ops <command>`: operations on a deployed stack. See the Makefile, which is how people call it.

The stack is found with the AWS settings of the environment; the offline system prints some that lead to itself.
"""

import argparse
import getpass
import os
import sys
from datetime import timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ops import dead_letters, orphans, powens_setup, restoring, switch, traces
from ops.first_contact import findings, unknowns
from ops.first_contact.deployment import Deployment
from ops.first_contact.journey import Journey
from ops.powens import Powens, Refused
from ops.system import System
from ops.wire import Unreachable
from shared.domain.errors import StoreUnavailable

CONFIG_TOKEN = "POWENS_CONFIG_TOKEN"  # noqa: S105 - the name of a variable
LONGEST_PAUSE = timedelta(days=7)
"""Of the switch: one that is forgotten ends by itself."""
TEST_USER_TOKEN = "TEST_USER_TOKEN"  # noqa: S105 - likewise


class Unusable(RuntimeError):
    """Something that only the person who typed the command can give. One line."""


STOPS = (
    Unusable,
    Refused,
    Unreachable,
    powens_setup.KeyLost,
    dead_letters.CannotReplay,
    BotoCoreError,
    ClientError,
    StoreUnavailable,
)


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 something is missing or it stopped with one line on standard error, 2 a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    stack = argparse.ArgumentParser(add_help=False)
    named = os.environ.get("STACK")
    stack.add_argument("--stack", default=named, required=not named, help="its CloudFormation name; else $STACK")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dead-letters", parents=[stack], help="list what could not be consumed")
    commands.add_parser("orphans", parents=[stack], help="list users at Powens whom nobody here owns")
    replay = commands.add_parser("replay-dlq", parents=[stack], help="send dead letters back, once the cause is mended")
    replay.add_argument("queue", choices=dead_letters.PLACES)
    setup = commands.add_parser(
        "powens-setup", parents=[stack], help="say what the Powens domain lacks; --apply makes it"
    )
    setup.add_argument("--apply", action="store_true", help="make what the API of Powens lets be made")
    pause = commands.add_parser("pause-powens", parents=[stack], help="let nobody call Powens for a while")
    pause.add_argument("minutes", type=_minutes, help="until it goes on by itself")
    commands.add_parser("resume-powens", parents=[stack], help="let Powens be called again")
    back = commands.add_parser("copy-back", parents=[stack], help="give users what they lost, from a restored table")
    back.add_argument("restored", help="name of the table that was restored")
    back.add_argument("users", nargs="+", help="ids of users")
    who = commands.add_parser("user-key", parents=[stack], help="say how the traces name a user")
    who.add_argument("user", help="the `sub` of the user's tokens")
    contact = commands.add_parser("first-contact", parents=[stack], help="look whether a deployment works")
    contact.add_argument("--yes", action="store_true", help="ask nobody before what is not only read")
    contact.add_argument("--report", type=Path, help="write down what the unknowns of Powens turned out to be")
    contact.add_argument("--retry-minutes", type=float, default=0.0, help="wait so long for a refused delivery")
    given = parser.parse_args(arguments)
    try:
        system = System.of(given.stack)
        match given.command:
            case "dead-letters":
                _list_dead_letters(system)
            case "orphans":
                _list_orphans(system)
            case "pause-powens":
                print(f"nobody calls Powens before {switch.pause(system, given.minutes):%Y-%m-%dT%H:%M:%SZ}")
            case "resume-powens":
                switch.resume(system)
                print("Powens is called again")
            case "user-key":
                print(traces.key_of(system, given.user))
            case "copy-back":
                for user, count in restoring.copy_back(system, given.restored, given.users):
                    print(f"{count:>4} items of {user}")
            case "first-contact":
                return _make_first_contact(system, given)
            case "powens-setup":
                return _set_powens_up(system, apply=given.apply)
            case _:
                print(f"{dead_letters.replay(system, given.queue)} sent back from {given.queue}")
    except STOPS as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    return 0


def _minutes(text: str) -> timedelta:
    minutes = timedelta(minutes=float(text))
    if not timedelta() < minutes <= LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"more than 0, and at most {LONGEST_PAUSE // timedelta(minutes=1)}")
    return minutes


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


def _set_powens_up(system: System, *, apply: bool) -> int:
    token = os.environ.get(CONFIG_TOKEN) or (getpass.getpass("Config token of Powens: ") if sys.stdin.isatty() else "")
    if not token:
        raise Unusable(f"no config token: put the one of Powens' console (Settings) into {CONFIG_TOKEN}")
    domain = powens_setup.Domain(system, Powens(system.parameters["PowensApiUrl"]), token)
    print(f"{system.parameters['PowensDomain']}, for the stack {system.name}")
    findings = domain.apply(print) if apply else domain.survey()
    for finding in findings:
        print(finding)
    left = [finding for finding in findings if finding.state not in (powens_setup.State.OK, powens_setup.State.EXTRA)]
    if any(finding.mend for finding in left) and not apply:
        print("nothing was changed; what is marked * is made with APPLY=1")
    print(f"{len(left)} of {len(findings)} left to do" if left else "all is there")
    return 1 if left else 0


def _make_first_contact(system: System, given: argparse.Namespace) -> int:
    def allowed(what: str) -> bool:
        return given.yes or (sys.stdin.isatty() and input(f"May I {what}? [y/N] ").strip().lower() == "y")

    said = [_shown(finding) for finding in Deployment(system, allowed).checks()]
    token = os.environ.get(TEST_USER_TOKEN)
    if token:
        journey = Journey(
            system,
            token,
            allowed,
            config_token=os.environ.get(CONFIG_TOKEN),
            show_webview=_show_webview if sys.stdin.isatty() else None,
            retry_patience=given.retry_minutes * 60,
        )
        said += [_shown(finding) for finding in journey.steps()]
        print(unknowns.table(journey.seen))
        if given.report:
            given.report.write_text(f"# First contact of {system.name}\n\n{unknowns.table(journey.seen)}\n", "utf-8")
    else:
        print(f"no journey: put an access token of a test user into {TEST_USER_TOKEN}")
    failed = sum(1 for finding in said if finding.state is findings.State.FAILED)
    print(f"{failed} of {len(said)} failed" if failed else f"{len(said)} looked at, nothing failed")
    return 1 if failed else 0


def _shown(finding: findings.Finding) -> findings.Finding:
    print(finding, flush=True)
    return finding


def _show_webview(url: str) -> None:
    print(f"Connect the test bank here (it is good for one visit):\n{url}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
