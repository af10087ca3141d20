"""Texts that nobody has seen before, the same in every run."""

import random

ADJECTIVES = (
    "red blue green yellow white black grey brown golden silver small large old new broken wooden heavy light quiet loud bright "
    "dark wet dry warm cold round square tall narrow"
).split()
THINGS = (
    "bicycle lamp kettle guitar violin trumpet drum piano boat bridge tower house door window garden tree river mountain cloud "
    "star horse cat dog bird fish snail apple lemon bread cake cup plate knife spoon table chair clock mirror candle ladder hammer "
    "rope wheel engine train tram lorry ship anchor map letter book pencil camera radio phone keyboard screen cable battery coin "
    "key lock basket bottle umbrella coat shoe hat scarf button needle"
).split()
DEEDS = (
    "leans on|stands beside|lies under|hangs above|turns towards|rolls past|falls from|waits for|belongs to|sounds like|covers|"
    "follows|carries|reflects|replaces"
).split("|")
PLACES = (
    "the harbour|the market|the station|the workshop|the kitchen|the attic|the school|the museum|the forest|the beach|the roof|"
    "the cellar|the railway yard|the concert hall|the ferry|the village square|the lighthouse|the orchard|the canal|the archive"
).split("|")


class Texts:
    """Hands out texts, each of them once."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.given: set[str] = set()

    def sentence(self) -> str:
        """About ten words."""
        while True:
            adjectives, things = self.random.sample(ADJECTIVES, 2), self.random.sample(THINGS, 2)
            deed, place = self.random.choice(DEEDS), self.random.choice(PLACES)
            text = f"The {adjectives[0]} {things[0]} {deed} a {adjectives[1]} {things[1]} near {place}."
            if text not in self.given:
                self.given.add(text)
                return text

    def label(self) -> str:
        """Three words."""
        while True:
            text = " ".join([*self.random.sample(ADJECTIVES, 2), self.random.choice(THINGS)])
            if text not in self.given:
                self.given.add(text)
                return text

    def long(self, sentences: int) -> str:
        """Many sentences in one paragraph."""
        return " ".join(self.sentence() for _ in range(sentences))

    def question(self) -> str:
        """What somebody types: some of the words of a sentence, as no other question has them."""
        while True:
            words = self.sentence().rstrip(".").split(" ")[1:]
            text = " ".join(words[: self.random.randint(5, len(words))])
            if text not in self.given:
                self.given.add(text)
                return text
