"""Writes the training or the test series of JapaneseVowels, which the wheel of aeon contains, as a safetensors file:

    python vowels.py aeon-1.6.0-py3-none-any.whl TRAIN ../training_series.safetensors
    python vowels.py aeon-1.6.0-py3-none-any.whl TEST ../test_series.safetensors
"""
import sys
import zipfile

import numpy as np
from safetensors.numpy import save_file

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


def main():
    wheel, part, path = sys.argv[1:]
    series, speakers = read_wheel(wheel, part)
    frames = np.ascontiguousarray(np.concatenate(series))  # [all frames, 12], one series after the other
    save_file({"frames": frames,
               "lengths": np.array([len(s) for s in series], np.uint8),
               "speakers": np.array(speakers, np.uint8)}, path,
              {"source": CREDIT + f"; its {'test' if part == 'TEST' else 'training'} series, frames as float32"})


if __name__ == "__main__":
    main()
