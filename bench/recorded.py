"""Compares measured figures with those recorded in bench/results."""
import json
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
SKIPPED = 77  # the exit code that Meson reports as "skipped"


class Recorded:
    """The rows of a results file. A measured count may be at most `most_growth` times the recorded count; every row must be
    recorded.

    If `record` is true, nothing is compared, and the measured figures replace the recorded ones.
    """

    def __init__(self, name, most_growth, record):
        self.path, self.most_growth, self.record = RESULTS / name, most_growth, record
        self.rows = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.wrong, self.judged = [], 0

    def judge(self, row, found, counts):
        """Compares a row with the recorded row. `found` contains all measured figures by name; `counts` lists the names of the
        figures to compare."""
        self.judged += 1
        if self.record:
            self.rows[row] = found
        elif row not in self.rows:
            self.wrong.append(f"{row}: not recorded yet; --record writes it")
        else:
            self.wrong += [f"{row}: {what}: found {found[what]:,}, wanted at most {self.most_growth} times the recorded "
                           f"{self.rows[row][what]:,}"
                           for what in counts if found[what] > self.most_growth * self.rows[row][what]]

    def exit_code(self):
        if self.record:
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
        print(*self.wrong, sep="\n", end="\n" if self.wrong else "")
        return 1 if self.wrong else 0 if self.judged else SKIPPED
