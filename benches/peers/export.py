"""Writes the ONNX file that ONNX Runtime and OpenVINO read: `export.py MODEL FOLDER INPUTS FILE`. The size of a batch is left open."""

import sys

import torch

from networks import Network
from serve import read_inputs


def main() -> None:
    """Exports."""
    name, folder, path, file = sys.argv[1:]
    network = Network(name, folder)
    inputs = torch.from_numpy(read_inputs(path)[:2])
    with torch.no_grad():
        torch.onnx.export(
            network,
            (inputs,),
            file,
            input_names=["inputs"],
            output_names=["outputs"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
        )


if __name__ == "__main__":
    main()
