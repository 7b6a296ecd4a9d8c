"""
Replace SECRET_KEY, so that no environment meets a signature that it rejects.

The value of SECRET_KEY_FALLBACKS is "former,next" during a rotation, and SECRET_KEY is
one of the two: that is the whole state, so the command can be interrupted and repeated.
To take "former" back it becomes "next,next", and after the release "next".
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ..release.stage import Stage
from ..report import DeployError, step, write
from .parameter import Parameter, Value

Step = Callable[[], None]
VARIABLE = "SECRET_KEY"
# After the end of a rotation, whose confirmation may have been lost.
PAUSE = timedelta(hours=1)


def rotate(
    stage: Stage,
    release: Step,
    wait: Step,
    keep: timedelta,
    variable: str = VARIABLE,
) -> None:
    """
    Replace the key, or continue where an earlier call ended.

    ``release`` lets every new environment read the parameters, ``wait`` returns when no
    older environment serves a request, and ``keep`` is how long signed data must stay
    valid. ``variable`` has the key, and <variable>_FALLBACKS the fallbacks. Raises
    DeployError.
    """
    key = Parameter(stage, variable)
    fallbacks = Parameter(stage, f"{variable}_FALLBACKS")
    current = key.read()
    if current is None:
        raise DeployError(
            f"The SSM parameter {key.name} does not exist: there is no key to replace."
        )
    found = fallbacks.read()
    keys = _keys(key, fallbacks, current, found)
    if keys == [current.text, current.text]:
        _complete(key, fallbacks, current.text, release)
        return
    if keys and found and _has_just_ended(keys, found):
        write(
            f"The rotation of {variable} was completed at {found.modified:%H:%M} UTC. "
            f"Another one can begin after {found.modified + PAUSE:%H:%M} UTC."
        )
        return
    if len(keys) < 2:
        keys = [current.text, secrets.token_urlsafe(50)]
        with step(f"Add the next key to {fallbacks.name}"):
            fallbacks.write(",".join(keys), key_of=key)
    former, following = keys
    if current.text == former:
        release()
        wait()
        with step(f"Make it the value of {key.name}"):
            key.write(following)
    elif found and found.modified > current.modified:
        _finish(key, fallbacks, following, found.modified + keep, release)
        return
    release()
    # The same value again: its time is when all began to sign with the new key.
    fallbacks.write(",".join(keys))
    _report(stage, datetime.now(UTC) + keep)


def _has_just_ended(keys: list[str], fallbacks: Value) -> bool:
    """Return whether the last write of a rotation is that recent."""
    # An operator has written the first version.
    ended = len(keys) == 1 and fallbacks.version > 1
    return ended and datetime.now(UTC) - fallbacks.modified < PAUSE


def _finish(
    key: Parameter, fallbacks: Parameter, text: str, until: datetime, release: Step
) -> None:
    """Remove the former key, if nothing that it signed must be valid any longer."""
    if datetime.now(UTC) < until:
        _report(key.stage, until)
        return
    with step(f"Remove the former key from {fallbacks.name}"):
        fallbacks.write(f"{text},{text}")
    _complete(key, fallbacks, text, release)


def _complete(key: Parameter, fallbacks: Parameter, text: str, release: Step) -> None:
    release()
    # Without this mark the next call starts a rotation. A parameter cannot be empty.
    fallbacks.write(text)
    write(
        f"The rotation of {key.variable} is complete: the former key is not accepted."
    )


def _keys(
    key: Parameter, fallbacks: Parameter, current: Value, found: Value | None
) -> list[str]:
    """Return the keys of the fallbacks: none, the current one, or two with it."""
    if "," in current.text:
        raise DeployError(
            f"{key.variable} contains a comma, which separates the keys of "
            f"{fallbacks.variable}. Replace it by hand: "
            "docs/secrets.md#rotate-secret_key"
        )
    keys = found.text.split(",") if found else []
    if keys and (current.text not in keys or len(keys) > 2):
        raise DeployError(
            f"{fallbacks.name} has {len(keys)} keys that this command has not written: "
            f"it expects at most two, one of which is {key.variable}. Store the value "
            f"of {key.variable} in it, and deploy, as soon as no signed data of the "
            "others must stay valid. Then run this command again."
        )
    return keys


def _report(stage: Stage, until: datetime) -> None:
    write(
        f"\n{stage.stack_name} signs with the new key. It accepts the former one too: "
        f"after {until:%Y-%m-%d %H:%M} UTC run this command again, which removes it."
    )
