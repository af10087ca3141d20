"""PyTorch: the model as Transformers has it, under `inference_mode`, with scaled_dot_product_attention (its default).

    torch_side.py MODEL FOLDER INPUTS PRECISION
"""

import sys

import torch

from networks import Network
from serve import Batch, read_inputs, serve, threads


def main() -> None:
    """Loads and serves."""
    name, folder, path, precision = sys.argv[1:]
    torch.set_num_threads(threads())
    network = Network(name, folder, precision)
    inputs = torch.from_numpy(read_inputs(path))
    if inputs.is_floating_point():
        inputs = inputs.to(network.dtype)

    def prepare(size: int) -> Batch:
        """Runs eagerly; nothing is compiled."""
        rows = inputs[:size].contiguous()
        return Batch(lambda: network(rows), lambda given: given.float().numpy())

    with torch.inference_mode():
        serve(prepare)


if __name__ == "__main__":
    main()
