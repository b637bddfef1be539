# SPDX-License-Identifier: Apache-2.0
"""Label values and numbers as lines of the protocol spell them, from whatever a caller has."""
import enum
import json
import math
import re
import time
from typing import Any, Dict, Optional, Tuple

HEAD_BYTES = 38000  # of a line before its values, of which 1000 have room then
EXEMPLAR_CHARACTERS = 128
YEAR_2000 = 946684800
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def label_value(value: Any) -> str:
    """None is empty, True and False are as in JSON, members of an enum stand for their value, other things for their str()."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return well_formed(str.__str__(value) if isinstance(value, str) else str(value))


def well_formed(text: str) -> str:
    """Surrogates, of which UTF-8 knows none, are replaced."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def spelled(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def label_pairs(labels: Dict[Any, Any]) -> Tuple[Tuple[str, str], ...]:
    """Sorted, so that the same labels are the same series."""
    return tuple(sorted((well_formed(str(k)), label_value(v)) for k, v in labels.items()))


def head(field: str, name: str, labels: Tuple[Tuple[str, str], ...]) -> Optional[bytes]:
    """The line up to its value, without the closing brace. None when it is too long for a line."""
    length = len(name) + sum(len(k) + len(v) for k, v in labels)
    if length > HEAD_BYTES:
        return None
    text = b'{"' + field.encode() + b'":' + spelled(name)
    if labels:
        text += b',"labels":{' + b",".join(spelled(k) + b":" + spelled(v) for k, v in labels) + b"}"
    return text if len(text) <= HEAD_BYTES else None


def number(value: Any) -> Optional[Any]:
    """A float or an int, or None when it is no number."""
    if isinstance(value, bool) or type(value) is int:  # pylint: disable=unidiomatic-typecheck
        return int(value)
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except Exception:  # pylint: disable=broad-except
        return None


def exemplar(labels: Any, timestamp: Any) -> Optional[bytes]:
    """The value of the key, or None for one that would be refused, and the values with it."""
    pairs = label_pairs(dict(labels))
    if not pairs or sum(len(k) + len(v) for k, v in pairs) > EXEMPLAR_CHARACTERS:
        return None
    if not all(LABEL_NAME.fullmatch(k) and "\0" not in v for k, v in pairs):
        return None
    text = b'{"labels":{' + b",".join(spelled(k) + b":" + spelled(v) for k, v in pairs) + b"}"
    if timestamp is not None:
        seconds = number(timestamp)
        if seconds is None or not YEAR_2000 <= seconds <= time.time() + 60:
            return None
        text += b',"timestamp":' + repr(seconds).encode()
    return text + b"}"


def shown(name: Any, labels: Any, limit: int = 200) -> str:
    """For people, never too long, whatever it is."""
    try:
        text = str(name)
        if labels:
            text += " " + " ".join(f"{k}={label_value(v)}" for k, v in dict(labels).items())
    except Exception:  # pylint: disable=broad-except
        text = "(what cannot be shown)"
    text = well_formed(text)
    return text if len(text) <= limit else text[:limit] + "…"
