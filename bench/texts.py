"""Message bodies as people write them: many scripts, about 80 bytes in the median, a long tail.

They are drawn with a fixed seed, so that every run and every baseline gets the same ones.
"""

import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_MEDIAN_BYTES = 80
#: So many different ones, in turn.
_REQUESTS = 2000
_SPREAD = 0.8
_SHORTEST, _LONGEST = 3, 4000

# Weight, what stands between words, words.
_SCRIPTS = (
    (35, " ", "hello my order has not arrived yet could you please check the tracking number"),
    (
        20,
        " ",
        'it said "delivered" on Monday thanks I\'ll wait; refund instead? the box was damaged',
    ),
    (10, " ", "Grüße schönen Tag möchte die Größe ändern voilà déjà reçu garçon señor mañana ½ €"),
    (10, " ", "здравствуйте где мой заказ пожалуйста спасибо доставка когда проверьте адрес"),
    (8, " ", "مرحبا أين طلبي شكرا لم يصل بعد رقم التتبع من فضلك שלום תודה ההזמנה שלי"),
    (5, " ", "नमस्ते मेरा ऑर्डर कब आएगा धन्यवाद कृपया जाँच करें สวัสดี ขอบคุณ"),
    (7, "", "どうも ありがとう ございます 注文 番号 は 届いて いません 您好 我的 订单 在 哪里"),
    (5, " ", "📦 🚚 👍🏽 😀 ok 👨\u200d👩\u200d👧 ❤️ 🇩🇪 yes 🎉 thx"),
)


def bodies(count: int) -> list[str]:
    """So many of them, the same ones each time."""
    source = random.Random(20)
    return [_body(source) for _ in range(count)]


@contextmanager
def request_file() -> Iterator[Path]:
    """A file with one request a line, as JSON, while the block runs; no text has a line break."""
    documents = (json.dumps({"body": body}, ensure_ascii=False) for body in bodies(_REQUESTS))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        path.write_text("\n".join(documents), encoding="utf-8")
        yield path


def _body(source: random.Random) -> str:
    wish = source.lognormvariate(math.log(_MEDIAN_BYTES), _SPREAD)
    wish = min(max(wish, _SHORTEST), _LONGEST)
    [(_, space, vocabulary)] = source.choices(_SCRIPTS, [script[0] for script in _SCRIPTS])
    words = vocabulary.split()
    text = source.choice(words)
    while len(text.encode()) < wish:
        text += space + source.choice(words)
    return text
