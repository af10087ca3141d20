#!/usr/bin/env python3
"""Makes samples/library: drawings (SVG), sounds (WAV, 16 kHz, mono) and texts (Markdown and plain).

Python 3 and nothing else. The same files come out every time. Run it after a change to drawings.py, sounds.py or texts/.
"""

import shutil
import struct
import sys
from pathlib import Path

from drawings import DRAWINGS, svg
from sounds import RATE, SOUNDS

HERE = Path(__file__).resolve().parent
LIBRARY = HERE / "library"


def wav(sound, peak=0.89):
    """16-bit PCM, as loud as `peak`."""
    gain = peak * 32767 / max(map(abs, sound))
    data = struct.pack(f"<{len(sound)}h", *(round(x * gain) for x in sound))
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", len(data))
    return header + data


def write(folder, name, data):
    path = LIBRARY / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(data)


def main():
    shutil.rmtree(LIBRARY, ignore_errors=True)
    total = 0
    for name, body in DRAWINGS.items():
        total += write("drawings", f"{name}.svg", svg(body).encode())
    for name, make in SOUNDS.items():
        total += write("sounds", f"{name}.wav", wav(make()))
    texts = sorted((HERE / "texts").iterdir())
    for text in texts:
        total += write("texts", text.name, text.read_bytes())
    print(f"{len(DRAWINGS)} drawings, {len(SOUNDS)} sounds and {len(texts)} texts in {LIBRARY}, {total / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
