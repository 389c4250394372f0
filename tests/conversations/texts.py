"""Generated conversations in many scripts, identical in every run."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from random import Random

Said = tuple[str, str, str]

SCRIPTS: Mapping[str, str] = {
    "latin": "aábcčdðeéfgħiıjklłmnñoœpqrsßtþuűvwxyzž",
    "greek": "αάβγδεζηθικλμνξοπρσςτυφχψω",
    "cyrillic": "абвгґдђеєжзиіїйклљмнњопрстћуўфхцчџшщъыьэюя",
    "hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "arabic": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهويپچژگ",
    "devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौं्",
    "tamil": "அஆஇஈஉஊஎஏஐஒஓகஙசஞடணதநபமயரலவழளறன்ாிீுூெேை",
    "thai": "กขคฆงจฉชซญฎฏฐณดตถทธนบปผฝพฟภมยรลวศษสหอฮะาิีึืุูเแโใไ่้๊๋",
    "han": "天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏",
    "kana": "あいうえおかがきぎくぐけげこごさざしじすずせぜそぞアイウエオカキクケコー",
    "hangul": "가나다라마바사아자차카타파하각난달람맙",
    "ethiopic": "ሀለሐመሠረሰሸቀበተቸኀነኘአከኸወዐዘዠየደጀገጠ",
    "planes": "😀👩🏽‍💻🇺🇳𝔘𝔫𝔦𐍈𐎀𠀋𠮷",
}
SPICE = ('"', "\\", "\n", "\t", "'", "\u2028", "\u200f", "\x7f", "\x01", "</script>", "%s", "ﷺ")


def conversations(count: int, *, chats: int = 7, seed: int = 0) -> list[Said]:
    """`count` messages, each in a chat and a script drawn at random."""
    random = Random(seed)
    return [_said(random, chats) for _ in range(count)]


def as_lines(said: Iterable[Said]) -> bytes:
    """The messages as an import file."""
    return "".join(as_line(one) for one in said).encode()


def as_line(said: Said) -> str:
    """One message as a line with its line end."""
    fields = dict(zip(("application", "chat", "body"), said, strict=True))
    line = json.dumps(fields, ensure_ascii=False)
    # What acts on a terminal is exported as an escape; an import reads it either way.
    acting = {ord(one): json.dumps(one)[1:-1] for one in "\u2028\u202e\x9b"}
    return line.translate({**acting, 0x7F: "\\u007f"}) + "\n"


def by_application(said: Iterable[Said]) -> dict[str, bytes]:
    """The expected export of each application: chat by chat, in order of appearance."""
    chats: defaultdict[str, defaultdict[str, list[Said]]] = defaultdict(lambda: defaultdict(list))
    for one in said:
        chats[one[0]][one[1]].append(one)
    return {
        application: b"".join(as_lines(chat) for chat in of_application.values())
        for application, of_application in chats.items()
    }


def endless_input(units: int) -> Iterator[bytes]:
    """About 2 MiB per unit: messages in ever new chats, empty lines, one overlong line."""
    body = "💬" * 1024
    for unit in range(units):
        for number in range(20):
            yield as_line(("endless", f"{unit}/{number // 2}", body)).encode()
        yield b"\n" * 1_000
        for _ in range(30):
            yield b"x" * (64 * 1024)
        yield b"\n"


def _said(random: Random, chats: int) -> Said:
    script, letters = random.choice(list(SCRIPTS.items()))
    chat = f"{letters[:3]} {random.randrange(chats)}"
    words = ("".join(random.choices(letters, k=random.randint(1, 9))) for _ in range(8))
    return f"in {script}", chat, random.choice(SPICE).join(words) + random.choice(letters)
