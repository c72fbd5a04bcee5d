"""Writes series of JapaneseVowels, which the wheel of aeon contains, as a safetensors file: the training series, the test
series, or the training series that examples/learn stores in flash:

    python vowels.py aeon-1.6.0-py3-none-any.whl TRAIN training_series.safetensors
    python vowels.py aeon-1.6.0-py3-none-any.whl TEST ../test_series.safetensors
    python vowels.py aeon-1.6.0-py3-none-any.whl STORED ../../learn/utterances.safetensors
"""
import sys
import zipfile

import numpy as np
from safetensors.numpy import save_file

STORED_OF_OLD = 12
CREDIT = "Japanese Vowels, by M. Kudo, J. Toyama and M. Shimbo, doi 10.24432/C5NS47, CC BY 4.0"


def read_wheel(wheel, part):
    """Returns the series of a part, TRAIN or TEST, each float32 [frames, 12], and their speakers, 0 to 8."""
    text = zipfile.ZipFile(wheel).read(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts").decode()
    series, speakers = [], []
    for line in text.partition("@data")[2].split():
        *channels, speaker = line.split(":")
        series.append(np.array([channel.split(",") for channel in channels], np.float32).T)
        speakers.append(int(speaker) - 1)
    return series, speakers


def stored(series, speakers):
    """Returns all training series of the last speaker, then STORED_OF_OLD of each other speaker, spread evenly over that
    speaker's series: the first of each speaker, then the second of each, and so on; and their speakers."""
    of = [[one for one, speaker in zip(series, speakers) if speaker == wanted] for wanted in range(9)]
    kept = [(one, 8) for one in of[8]]
    for i in range(STORED_OF_OLD):
        kept += [(of[speaker][i * len(of[speaker]) // STORED_OF_OLD], speaker) for speaker in range(8)]
    return [one for one, _ in kept], [speaker for _, speaker in kept]


def main():
    wheel, part, path = sys.argv[1:]
    series, speakers = read_wheel(wheel, "TEST" if part == "TEST" else "TRAIN")
    if part == "STORED":
        series, speakers = stored(series, speakers)
    frames = np.ascontiguousarray(np.concatenate(series))  # [all frames, 12], one series after the other
    save_file({"frames": frames,
               "lengths": np.array([len(s) for s in series], np.uint8),
               "speakers": np.array(speakers, np.uint8)}, path,
              {"source": CREDIT + f"; its {'test' if part == 'TEST' else 'training'} series, frames as float32"})


if __name__ == "__main__":
    main()
