"""The project's own scenes: several objects, positions, counts and colours, each with a sentence.

Shapes are drawn here; objects are taken from the drawings that may be trained on. Deterministic by seed.
"""
import random

import numpy as np
from PIL import Image, ImageDraw

SIZE = 80
OVER = 3
COLOURS = {"red": (220, 30, 30), "blue": (30, 70, 220), "green": (30, 160, 50), "yellow": (250, 210, 30), "black": (15, 15, 15),
           "orange": (245, 130, 20), "purple": (130, 40, 170), "pink": (250, 130, 180), "brown": (125, 75, 30), "grey": (130, 130, 130)}
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "diamond", "ring", "rectangle", "crescent")
NUMBERS = {1: "a", 2: "two", 3: "three", 4: "four", 5: "five"}


def plural(noun, count):
    if count == 1:
        return noun
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def draw_shape(draw, shape, x, y, r, colour):
    turn = lambda n, radius, phase: [(x + radius(i) * np.sin(phase + i * 2 * np.pi / n), y - radius(i) * np.cos(phase + i * 2 * np.pi / n)) for i in range(n)]
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif shape == "ring":
        draw.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=max(3, int(r * 0.35)))
    elif shape == "square":
        draw.rectangle((x - r * .88, y - r * .88, x + r * .88, y + r * .88), fill=colour)
    elif shape == "rectangle":
        draw.rectangle((x - r, y - r * .55, x + r, y + r * .55), fill=colour)
    elif shape == "triangle":
        draw.polygon(turn(3, lambda i: r, 0), fill=colour)
    elif shape == "diamond":
        draw.polygon([(x, y - r), (x + r * .7, y), (x, y + r), (x - r * .7, y)], fill=colour)
    elif shape == "star":
        draw.polygon(turn(10, lambda i: r if i % 2 == 0 else r * .42, 0), fill=colour)
    elif shape == "cross":
        draw.rectangle((x - r, y - r * .3, x + r, y + r * .3), fill=colour)
        draw.rectangle((x - r * .3, y - r, x + r * .3, y + r), fill=colour)
    elif shape == "heart":
        draw.ellipse((x - r, y - r * .9, x, y + r * .1), fill=colour)
        draw.ellipse((x, y - r * .9, x + r, y + r * .1), fill=colour)
        draw.polygon([(x - r * .93, y - r * .15), (x + r * .93, y - r * .15), (x, y + r)], fill=colour)
    elif shape == "crescent":
        layer = Image.new("L", draw.im.size, 0)
        inner = ImageDraw.Draw(layer)
        inner.ellipse((x - r, y - r, x + r, y + r), fill=255)
        inner.ellipse((x - r * .4, y - r * .9, x + r * 1.4, y + r * .9), fill=0)
        draw.bitmap((0, 0), layer, fill=colour)


def places(layout, count, side):
    """Centres and a radius for `count` things in the part of the picture that `layout` names."""
    boxes = {"all": (0.04, 0.04, 0.96, 0.96), "top": (0.04, 0.04, 0.96, 0.48), "bottom": (0.04, 0.52, 0.96, 0.96),
             "left": (0.04, 0.04, 0.48, 0.96), "right": (0.52, 0.04, 0.96, 0.96)}
    x0, y0, x1, y1 = (value * side for value in boxes[layout])
    wide = x1 - x0 > y1 - y0
    columns = count if wide or count <= 1 else 1
    if layout == "all" and count > 2:
        columns = 2 if count == 4 else 3
    rows = -(-count // columns)
    cell = min((x1 - x0) / columns, (y1 - y0) / rows)
    centres = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        centres.append(((x0 + x1) / 2 + (column - (in_row - 1) / 2) * cell, (y0 + y1) / 2 + (row - (rows - 1) / 2) * cell))
    return centres, cell * 0.44


def group(chance, objects, image, layout, count):
    """Draws one group of equal things and returns its words."""
    side = image.size[0]
    centres, radius = places(layout, count, side)
    radius *= chance.uniform(0.75, 1.0)
    if objects is None or chance.random() < 0.6:
        colour_name, shape = chance.choice(list(COLOURS)), chance.choice(SHAPES)
        colour = tuple(max(0, min(255, value + chance.randint(-15, 15))) for value in COLOURS[colour_name])
        draw = ImageDraw.Draw(image)
        for x, y in centres:
            draw_shape(draw, shape, x, y, radius, colour + (255,))
        noun = f"{colour_name} {shape}"
    else:
        noun, rgba = objects(chance)
        width = max(8, int(radius * 2))
        small = Image.fromarray(rgba).resize((width, width), Image.BILINEAR)
        for x, y in centres:
            image.alpha_composite(small, (max(0, min(side - width, int(x - radius))), max(0, min(side - width, int(y - radius)))))
    if count == 1:
        return article(noun)
    return f"{NUMBERS[count]} {plural(noun, count)}"


def scene(seed, objects=None):
    """(80, 80, 4 u8 RGBA, sentence)."""
    chance = random.Random(seed)
    image = Image.new("RGBA", (SIZE * OVER, SIZE * OVER), (0, 0, 0, 0))
    kind = chance.random()
    if kind < 0.3:
        sentence = group(chance, objects, image, "all", chance.choice((1, 1, 2, 3, 4, 5)))
    else:
        first, second = (chance.choice((1, 1, 2, 3)) for _ in range(2))
        if chance.random() < 0.5:
            over, under = group(chance, objects, image, "top", first), group(chance, objects, image, "bottom", second)
            sentence = f"{over} above {under}" if chance.random() < 0.6 else f"{under} below {over}"
        else:
            left, right = group(chance, objects, image, "left", first), group(chance, objects, image, "right", second)
            sentence = chance.choice((f"{left} left of {right}", f"{left} next to {right}", f"{right} right of {left}", f"{left} and {right}"))
    return np.asarray(image.resize((SIZE, SIZE), Image.BOX)), sentence
