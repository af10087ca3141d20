"""Drives the real page in a real browser against a real server. `make test-page` starts both.

Environment: SENSORIUM_PAGE_URL, SENSORIUM_PAGE_KEY. The server has samples/library.
"""

import os
import unittest
from pathlib import Path

from browser import Browser

URL = os.environ["SENSORIUM_PAGE_URL"]
KEY = os.environ["SENSORIUM_PAGE_KEY"]
LIBRARY = Path(__file__).resolve().parents[2] / "samples" / "library"
HITS = "document.querySelectorAll('.hit').length"


class Page(unittest.TestCase):
    """One browser for all tests; each begins with a fresh page that has the key."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.browser.open("about:blank")
        self.browser.open(f"{URL}/#key={KEY}")
        self.browser.until("document.querySelectorAll('#collection option').length > 1")
        self.browser.complaints.clear()

    def tearDown(self):
        self.assertEqual(self.browser.complaints, [], "the page complained")

    def ask(self, words):
        b = self.browser
        b.js("document.querySelector('#search-status').textContent = ''")
        b.type("#query", words, enter=True)
        b.until("/hit|Nothing/.test(document.querySelector('#search-status').textContent)")

    def target(self, *wanted):
        """Chooses the modalities that may answer."""
        self.browser.js(
            "document.querySelectorAll('input[name=target]').forEach(box => box.checked = %s.includes(box.value))" % list(wanted)
        )

    def test_the_key_leaves_the_address_and_the_starter_says_what_it_knows(self):
        b = self.browser
        self.assertEqual(b.js("location.hash"), "")
        self.assertEqual(b.js("document.querySelector('#key-dialog').open"), False)
        b.until("document.querySelector('#banner').innerText.includes('drawings')")

    def test_without_a_key_the_page_asks_and_a_wrong_one_is_told(self):
        b = self.browser
        b.js("localStorage.clear(); sessionStorage.clear(); location.reload()")
        b.until("document.querySelector('#key-dialog')?.open")
        b.type("#key-input", "wrong", enter=True)
        b.until("document.querySelector('#key-error').textContent !== ''")
        b.type("#key-input", KEY, enter=True)
        b.until("!document.querySelector('#key-dialog').open && document.querySelectorAll('#collection option').length > 1")
        self.assertTrue(all("401" in complaint for complaint in b.complaints), b.complaints)
        b.complaints.clear()

    def test_words_find_pictures_and_say_why(self):
        b = self.browser
        self.target("image")
        self.ask("a red bicycle")
        self.assertGreater(b.js(HITS), 3)
        b.until("document.querySelector('.hit img')?.naturalWidth > 0")
        self.assertEqual(b.js("document.querySelectorAll('.hit:not(.image)').length"), 0)
        b.click(".why summary")
        adds, score = b.js(
            "(() => { const rows = [...document.querySelector('.why').querySelectorAll('tr')]; const last = row => Number(row.lastChild.textContent);"
            " return [rows.slice(1, -1).map(last).reduce((a, b) => a + b, 0), last(rows.at(-1))]; })()"
        )
        self.assertAlmostEqual(adds, score, delta=0.0002)
        self.assertTrue(b.js("!document.querySelector('#timing').hidden"), "no Server-Timing")

    def test_pages_follow_without_repeats(self):
        b = self.browser
        self.ask("music")
        for _ in range(20):
            before = b.js(HITS)
            if b.js("document.querySelector('#more-hits').hidden"):
                break
            b.click("#more-hits")
            b.until(f"{HITS} > {before} || document.querySelector('#more-hits').hidden")
        names = b.js("[...document.querySelectorAll('.hit .title')].map(node => node.textContent)")
        self.assertGreater(len(names), 12)
        self.assertEqual(len(names), len(set(names)))

    def test_words_are_marked(self):
        b = self.browser
        self.target("text")
        self.ask("bicycle chain")
        marks = b.js("[...document.querySelectorAll('.hit mark')].map(node => node.textContent.toLowerCase())")
        self.assertTrue(any("chain" in mark for mark in marks), marks)

    def test_a_picture_asks_and_sounds_answer(self):
        b = self.browser
        self.target("audio")
        b.choose_files("#query-files", LIBRARY / "drawings" / "guitar.svg")
        b.until(f"{HITS} > 3")
        self.assertEqual(b.js("document.querySelectorAll('.hit:not(.audio)').length"), 0)
        b.until("document.querySelectorAll('.player.loading').length < 3")
        b.press(".hit .play")
        b.until("document.querySelector('.hit .play').getAttribute('aria-label').startsWith('Pause')")
        b.until("Number(document.querySelector('.hit .seek').value) > 50")
        b.press(".hit .play")
        b.until("document.querySelector('.hit .play').getAttribute('aria-label').startsWith('Play')")

    def test_inputs_mix_with_weights(self):
        b = self.browser
        self.target("text", "image", "audio")
        self.ask("weather")
        b.choose_files("#query-files", LIBRARY / "sounds" / "rain.wav")
        b.until(f"document.querySelectorAll('.input').length === 2 && {HITS} > 0")
        b.js("document.querySelectorAll('.hit .tiny')[1].click()")
        b.until(f"document.querySelectorAll('.input.negative').length === 1 && {HITS} > 0")
        b.click(".why summary")
        self.assertIn("-0.50", b.js("document.querySelector('.why').innerText"))

    def test_what_is_added_is_found_and_is_never_markup(self):
        b = self.browser
        title = "<img src=x onerror=window.hacked=1> heron"
        b.js("location.hash = 'library'")
        b.until("document.querySelectorAll('.document').length > 10")
        b.type("#add-title", title)
        b.type("#add-text-body", "A grey heron <script>window.hacked=2</script> stands in the reeds by the lock.")
        b.js("document.querySelector('#add-form').requestSubmit()")
        b.until("document.querySelector('.upload.done')")
        b.until("document.querySelector('.document .title').textContent.includes('heron')")
        b.js("location.hash = 'search'")
        self.target("text")
        self.ask("heron in the reeds")
        self.assertEqual(b.js("document.querySelector('.hit .title').textContent"), title)
        b.click(".hit .title")
        b.until("document.querySelector('#document-dialog .words')")
        self.assertIsNone(b.js("window.hacked ?? null"))
        b.js("window.confirm = () => true; document.querySelector('#document-dialog .danger').click()")
        b.until("!document.querySelector('#document-dialog').open")
        self.ask("heron in the reeds")
        self.assertNotIn("heron", b.js("document.querySelector('.hit .title')?.textContent ?? ''"))

    def test_a_bad_file_is_refused_with_the_reason(self):
        b = self.browser
        b.js("location.hash = 'library'")
        b.until("document.querySelectorAll('.document').length > 10")
        b.js(
            "(() => { const files = new DataTransfer(); files.items.add(new File([new Uint8Array([137,80,78,71,13,10,26,10,0,0])], 'broken.png'));"
            " document.querySelector('#add-files').files = files.files; document.querySelector('#add-files').dispatchEvent(new Event('change')); })()"
        )
        b.js("document.querySelector('#add-form').requestSubmit()")
        b.until("document.querySelector('.upload.failed .error')")
        self.assertIn("broken.png", b.js("document.querySelector('.upload.failed').innerText"))
        self.assertTrue(all("status of 4" in complaint for complaint in b.complaints), b.complaints)
        b.complaints.clear()

    def test_jobs_and_server_are_shown(self):
        b = self.browser
        b.js("location.hash = 'jobs'")
        b.until("document.querySelectorAll('#jobs tr').length > 5")
        b.js("location.hash = 'server'")
        b.until("document.querySelector('#server table tbody tr')")
        self.assertIn("starter", b.js("document.querySelector('#server').innerText"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
