"""Figures that are kept in bench/results and may not rise."""
import json
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
SKIPPED = 77  # what Meson takes for "skipped"


class Recorded:
    """The rows of one file of results. Counts over `most_growth` times what is recorded are wrong, as are rows that are not
    there; to record is to keep what is found instead."""

    def __init__(self, name, most_growth, record):
        self.path, self.most_growth, self.record = RESULTS / name, most_growth, record
        self.rows = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.wrong, self.judged = [], 0

    def judge(self, row, found, counts):
        """found: what was measured of a row; counts: the names of those that are held."""
        self.judged += 1
        if self.record:
            self.rows[row] = found
        elif row not in self.rows:
            self.wrong.append(f"{row}: not recorded yet: --record")
        else:
            self.wrong += [f"{row}: {what}: found {found[what]:,}, recorded {self.rows[row][what]:,}: over {self.most_growth} times"
                           for what in counts if found[what] > self.most_growth * self.rows[row][what]]

    def exit_code(self):
        if self.record:
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
        print(*self.wrong, sep="\n", end="\n" if self.wrong else "")
        return 1 if self.wrong else 0 if self.judged else SKIPPED
