"""Collects the drawings with their names, and renders them to arrays.

Writes to the cache: drawings.json (one entry per picture), drawings.npy (n, 80, 80, 4 u8 RGBA, cut to the object)
and openmoji.json, openmoji.npy (n, 128, 128, 3 on white, not cut; evaluation only).
"""
import json
import os
import random
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from . import picture
from .places import CACHE, MODULES, NPM, REPO

SIZE = 80
RENDERED = 160
EVAL_SIZE = 128
NAMING_STYLES = ("noto", "noto-v1", "twemoji", "emojione", "fxemoji", "fluent-emoji")  # what they draw is a concept
EMOJI_STYLES = NAMING_STYLES + ("fluent-emoji-flat", "streamline-emojis")
INK_EMOJI_STYLES = ("fluent-emoji-high-contrast", "emojione-monotone")
STROKED_STYLES = ("noto", "noto-v1", "twemoji", "emojione", "fxemoji", "fluent-emoji-flat")
COLOUR_ICONS = ("icon-park", "flat-color-icons", "streamline-ultimate-color")
# More icons, and what of a slug is no name. Taken are those that are named with words of emoji alone: other hands' ideas of the same things.
MORE_ICONS = {
    "tabler": r"^brand-.*|-filled$", "material-symbols": r".*-(rounded|sharp)$|-outline$", "iconoir": r"-solid$",
    "healthicons": r".*-(24px|negative)$|-outline$", "fa6-solid": r"$^", "streamline-ultimate-color": r"$^",
}
UI_WORDS = {"out", "pause", "plus", "minus", "check", "cross", "cancel", "add", "left", "right", "down", "arrow", "arrows", "number", "letter",
            "button", "small", "medium", "large", "new", "none", "with", "and", "off", "top", "bottom", "center", "end"}
HELD_OUT_CONCEPTS = 150
HELD_OUT_PICTURES = 0.03
OPAQUE = 40
PER_PROCESS = 100  # the renderer keeps its memory until it ends
PROCESSES = 2

SKIN = re.compile(r"-(light|medium-light|medium|medium-dark|dark)(-skin-tone)?$")
GENDERED = re.compile(r"^(man|woman|men|women)-|-(man|woman|men|women)$|^(mens|womens)-")


def words(slug):
    return slug.replace("-", " ").replace("_", " ").strip()


def squash(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


class Emoji:
    """The names and keywords of emojibase, found by hexcode or by any spelling of the name."""

    def __init__(self):
        self.by_hex, self.by_name = {}, {}
        unicode_names = json.loads((MODULES / "emojibase-data/meta/unicode-names.json").read_text())
        entries = json.loads((MODULES / "emojibase-data/en/data.json").read_text())
        for entry in entries:
            label = entry["label"].lower()
            if entry.get("group") in (2, 9) or label.startswith(("flag:", "regional indicator")) or "group" not in entry:
                continue
            if entry["hexcode"].split("-")[-1] in ("2640", "2642") or re.match(r"^(man|woman)(:|\b(?!$))", label):
                continue
            if "family" in label or re.search(r"o.clock|-thirty", label) or label.startswith("keycap"):
                continue
            concept = {"name": label, "tags": entry.get("tags", [])}
            bare = "-".join(part for part in entry["hexcode"].split("-") if part != "FE0F")
            self.by_hex[bare] = self.by_hex[entry["hexcode"]] = concept
            self.by_name[squash(label)] = concept
        for code, name in unicode_names.items():
            concept = self.by_hex.get(code)
            if concept:
                self.by_name.setdefault(squash(name), concept)

    def find(self, slug, hexcode=None):
        if hexcode:
            bare = "-".join(part for part in hexcode.upper().split("-") if part != "FE0F")
            if bare in self.by_hex:
                return self.by_hex[bare]
        return self.by_name.get(squash(slug))


def iconify(prefix):
    folder = MODULES / "@iconify-json" / prefix
    icons = json.loads((folder / "icons.json").read_text())
    chars = folder / "chars.json"
    hexes = {}
    if chars.exists():
        for code, name in json.loads(chars.read_text()).items():
            hexes.setdefault(name, code)
    width, height = icons.get("width", 16), icons.get("height", 16)
    out = {}
    for name, icon in icons["icons"].items():
        if icon.get("hidden"):
            continue
        w, h = icon.get("width", width), icon.get("height", height)
        left, top = icon.get("left", 0), icon.get("top", 0)
        side = max(w, h)
        box = f"{left - (side - w) / 2} {top - (side - h) / 2} {side} {side}"
        svg = (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
               f'viewBox="{box}" color="#000">{icon["body"]}</svg>')
        out[name] = (svg, hexes.get(name))
    return out


def stroked(svg):
    """The same drawing with every shape outlined in black, as another hand might draw it."""
    side = float(re.search(r'viewBox="\S+ \S+ (\S+) ', svg).group(1))
    rule = f"*{{stroke:#000;stroke-width:{side * 0.022:.3f};stroke-linejoin:round}}"
    return svg.replace(">", f"><style>{rule}</style>", 1)


def words_of(emoji):
    """The words of the names and keywords of all emoji."""
    return {word for concept in emoji.by_name.values() for text in [concept["name"], *concept["tags"]]
            for word in re.findall(r"[a-z]{3,}", text.lower())}


def split_words(text, known, best={}):
    """fxemoji's names have no hyphens: the split into the fewest known words, or nothing."""
    table = {0: []}
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - 16), end):
            if start in table and text[start:end] in known:
                candidate = table[start] + [text[start:end]]
                if end not in table or len(candidate) < len(table[end]):
                    table[end] = candidate
    return " ".join(table[len(text)]) if len(text) in table else None


def emoji_drawings(emoji, styles, colour):
    known = words_of(emoji)
    for style in styles:
        icons = iconify(style)
        for slug, (svg, code) in icons.items():
            if SKIN.search(slug) and (SKIN.sub("", slug) in icons or "skin-tone" in slug):
                continue
            if slug.startswith(("flag-", "regional-indicator", "keycap")) or "oclock" in slug or "-thirty" in slug:
                continue
            concept = emoji.find(slug, code)
            if concept is None and style.startswith("fluent-emoji") and slug.startswith("person-"):
                concept = emoji.find(slug[7:])
            if concept is None:
                if GENDERED.search(slug) or "family" in slug or "skin" in slug or style not in NAMING_STYLES or style == "twemoji":
                    continue
                name = split_words(slug, known) if style == "fxemoji" else words(slug)
                if not name:
                    continue
                concept = {"name": name, "tags": []}
            drawing = {"source": style, "slug": slug, "name": concept["name"], "tags": concept["tags"], "colour": colour, "svg": svg}
            yield drawing
            if style in STROKED_STYLES:
                yield drawing | {"source": style + "-stroked", "svg": stroked(svg)}


def icon_drawings(emoji):
    for entry in json.loads((MODULES / "@mdi/svg/meta.json").read_text()):
        parts = entry["name"].split("-")
        kept = [part for part in parts if part not in ("outline", "variant")] or parts
        tags = [words(alias) for alias in entry["aliases"]]
        yield {"source": "mdi", "slug": entry["name"], "name": " ".join(kept), "tags": tags, "colour": False,
               "file": str(MODULES / "@mdi/svg/svg" / (entry["name"] + ".svg"))}
    tags = json.loads((MODULES / "lucide-static/tags.json").read_text())
    for name, its in tags.items():
        path = MODULES / "lucide-static/icons" / (name + ".svg")
        if path.exists():
            yield {"source": "lucide", "slug": name, "name": words(name), "tags": its, "colour": False, "file": str(path)}
    for slug, (svg, _) in iconify("game-icons").items():
        yield {"source": "game-icons", "slug": slug, "name": words(slug), "tags": [], "colour": False, "svg": svg}
    for slug, (svg, _) in iconify("ph").items():
        if not slug.endswith(("-thin", "-light", "-bold")):
            yield {"source": "ph", "slug": slug, "name": words(re.sub("-(fill|duotone)$", "", slug)), "tags": [], "colour": False, "svg": svg}
    for style in [style for style in COLOUR_ICONS if style not in MORE_ICONS]:
        for slug, (svg, _) in iconify(style).items():
            yield {"source": style, "slug": slug, "name": words(re.sub("-(one|two|three|four|five)$", "", slug)), "tags": [],
                   "colour": True, "svg": svg}
    known = words_of(emoji) - UI_WORDS
    for style, no_name in MORE_ICONS.items():
        for slug, (svg, _) in iconify(style).items():
            name = words(re.sub(r"-\d+$", "", re.sub(no_name, "", slug)))
            if name and all(word in known for word in name.split()):
                yield {"source": style, "slug": slug, "name": name, "tags": [], "colour": style in COLOUR_ICONS, "svg": svg}


def chunk_of_frames(jobs, size, number):
    """One RGBA frame per job, in order, from one process. A drawing that kills the renderer gives an empty frame."""
    listing = CACHE / f"render-{os.getpid()}-{number}.json"
    out = []
    while len(out) < len(jobs):
        todo = [{key: job[key] for key in ("svg", "file") if key in job} | {"name": job["slug"]} for job in jobs[len(out):]]
        listing.write_text(json.dumps(todo))
        process = subprocess.Popen(["node", str(REPO / "training/render.mjs"), str(listing), str(size)], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=os.environ | {"STARTER_NPM": str(NPM)})
        for job in todo:
            frame = process.stdout.read(size * size * 4)
            died = len(frame) < size * size * 4
            if died:
                print("not rendered:", job["name"], flush=True)
                frame = bytes(size * size * 4)
            out.append(np.frombuffer(frame, np.uint8).reshape(size, size, 4))
            if died:
                break
        process.stdout.close()
        process.wait()
    listing.unlink()
    return out


def frames(jobs, size, then=lambda frame: frame):
    """`then` of the frame of each job, in order."""
    def part(start):
        return [then(frame) for frame in chunk_of_frames(jobs[start:start + PER_PROCESS], size, start)]

    with ThreadPoolExecutor(PROCESSES) as pool:
        for done in pool.map(part, range(0, len(jobs), PER_PROCESS)):
            yield from done


def cut_to_object(rgba):
    """The drawing's square by the same rule as the tower's preprocessing, on a transparent ground."""
    mask = rgba[..., 3] > OPAQUE
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = (max(right - left, bottom - top) * 9 + 7) // 8
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    image = Image.fromarray(rgba).crop((x, y, x + side, y + side))
    return np.asarray(image.resize((SIZE, SIZE), Image.BILINEAR))


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    emoji = Emoji()
    drawn = [*emoji_drawings(emoji, EMOJI_STYLES, True), *emoji_drawings(emoji, INK_EMOJI_STYLES, False)]
    names = sorted({job["name"] for job in drawn if job["source"] in NAMING_STYLES and squash(job["name"]) in emoji.by_name})
    open_icons = iconify("openmoji")
    open_jobs, taken = [], set()
    for slug, (svg, code) in open_icons.items():
        concept = emoji.find(slug, code)
        if concept and concept["name"] in set(names) and concept["name"] not in taken:
            taken.add(concept["name"])
            open_jobs.append({"slug": slug, "svg": svg, "name": concept["name"], "tags": concept["tags"]})
    held = set(random.Random(4).sample(sorted(taken), HELD_OUT_CONCEPTS))
    held_squashed = {squash(name) for name in held}
    jobs = [*drawn, *icon_drawings(emoji)]
    chance = random.Random(5)
    entries, arrays = [], np.lib.format.open_memmap(CACHE / "drawings.npy", "w+", np.uint8, (len(jobs), SIZE, SIZE, 4))
    held_pictures = {}  # a drawing and its stroked copy are held out together
    for job, small in zip(jobs, frames(jobs, RENDERED, cut_to_object)):
        held_picture = held_pictures.setdefault((job["source"].removesuffix("-stroked"), job["slug"]), chance.random() < HELD_OUT_PICTURES)
        if small is None:
            continue
        split = "train"
        if squash(job["name"]) in held_squashed or any(squash(tag) in held_squashed for tag in job["tags"] if not job["colour"]):
            split = "unseen"
        elif held_picture:
            split = "held"
        if split != "train" and job["source"].endswith("-stroked"):
            continue
        arrays[len(entries)] = small
        entries.append({key: job[key] for key in ("source", "slug", "name", "tags", "colour")} | {"split": split})
        if len(entries) % 2000 == 0:
            print(len(entries), flush=True)
    arrays.flush()
    (CACHE / "drawings.json").write_text(json.dumps(entries))
    evaluated = np.stack([picture.on_white(rgba) for rgba in frames(open_jobs, EVAL_SIZE)])
    np.save(CACHE / "openmoji.npy", evaluated)
    (CACHE / "openmoji.json").write_text(json.dumps(
        [{"name": job["name"], "tags": job["tags"], "seen": job["name"] not in held} for job in open_jobs]))
    counts = defaultdict(int)
    for entry in entries:
        counts[entry["source"], entry["split"]] += 1
    print(len(entries), dict(counts), "openmoji", len(open_jobs), "concepts", len(names))


if __name__ == "__main__":
    sys.exit(main())
