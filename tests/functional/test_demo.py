"""tools/demo compares what a share carries, and nothing else: the function that does it, alone."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "tools/demo"


def metadata(path):
    script = f"""eval "$(sed -n '/^metadata()/,/^}}/p' {DEMO})"; metadata "$1" """
    return subprocess.run(["bash", "-c", script, "bash", path], check=True, text=True,
                          capture_output=True).stdout.splitlines()


class Metadata(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = Path(directory.name) / "tree"
        (self.top / "d").mkdir(parents=True)
        (self.top / "f o").write_text("x", encoding="utf-8")
        (self.top / "link").symlink_to("4755 somewhere")
        for path in (self.top / "d", self.top / "f o", self.top):
            os.utime(path, ns=(0, 1_000_000_007))

    def of_modes(self, directory, file):
        (self.top / "d").chmod(directory)
        (self.top / "f o").chmod(file)
        return metadata(self.top), metadata(self.top / "f o")

    def test_special_bits_are_not_compared(self):
        self.assertEqual(self.of_modes(0o1750, 0o4640), self.of_modes(0o750, 0o640))

    def test_everything_else_is(self):
        tree, file = self.of_modes(0o750, 0o040)
        self.assertIn("./d d 750 1.0000000070", tree)
        self.assertIn("./f o f 040 1.0000000070 1", tree)
        self.assertIn("./link l 4755 somewhere", tree)
        self.assertEqual(file, ["f 040 1.0000000070 1"])


if __name__ == "__main__":
    unittest.main()
