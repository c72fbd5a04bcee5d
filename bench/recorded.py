"""Compares measured figures with those recorded in bench/results."""
import json
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
SKIPPED = 77  # the exit code that Meson reports as "skipped"


class Recorded:
    """The recorded rows of a file of bench/results, to compare measured rows with. A measured count may be at most
    `most_growth` times the recorded count. Every measured row must be recorded.

    If `record` is true, nothing is compared, and the measured figures replace the recorded ones.
    """

    def __init__(self, name, most_growth, record):
        self.path, self.most_growth, self.record = RESULTS / name, most_growth, record
        self.rows = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.wrong, self.judged = [], 0

    def judge(self, row, found, counts):
        """Compares the measured figures of the row named `row` with the recorded ones, and appends a message to self.wrong for
        each count that grew too much. `found` contains all measured figures by name; `counts` lists the names of those to
        compare."""
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
