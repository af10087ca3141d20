"""OpenVINO on the processor: a batch as a whole, or in parts side by side, whichever is faster here.

    openvino_side.py MODEL FILE INPUTS PRECISION
"""

import sys

import numpy as np
import openvino

from serve import Batch, measure, read_inputs, serve, threads

# Seconds of a trial.
TRIAL_S = 0.5


class Parts:
    """A batch in as many parts of the same size as there are requests; all are run at once."""

    def __init__(self, core: openvino.Core, file: str, inputs: np.ndarray, settings: dict[str, object], parts: int):
        size = len(inputs) // parts
        model = core.read_model(file)
        # With shapes that are known it computes faster.
        model.reshape([size, *inputs.shape[1:]])
        compiled = core.compile_model(model, "CPU", settings)
        self.requests = [compiled.create_infer_request() for _ in range(parts)]
        for number, request in enumerate(self.requests):
            part = np.ascontiguousarray(inputs[number * size : (number + 1) * size])
            request.set_input_tensor(openvino.Tensor(part, shared_memory=True))

    def forward(self) -> None:
        """Starts all and waits for all."""
        if len(self.requests) == 1:
            self.requests[0].infer()
            return
        for request in self.requests:
            request.start_async()
        for request in self.requests:
            request.wait()

    def outputs(self, _: object) -> np.ndarray:
        """What the last forward gave."""
        return np.concatenate([request.get_output_tensor().data for request in self.requests])


def main() -> None:
    """Loads and serves."""
    _, file, path, precision = sys.argv[1:]
    inputs, core = read_inputs(path), openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads()}

    def prepare(size: int) -> Batch:
        """One input is run for the least latency; of more, both ways are tried."""
        rows = inputs[:size]
        ways = {"LATENCY": Parts(core, file, rows, settings | {"PERFORMANCE_HINT": "LATENCY"}, 1)}
        parts = min(threads(), size)
        if parts > 1 and size % parts == 0:
            several = settings | {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": parts}
            ways[f"THROUGHPUT, {parts} parts"] = Parts(core, file, rows, several, parts)
        runs = {how: measure(way.forward, TRIAL_S) for how, way in ways.items()} if len(ways) > 1 else {}
        how = max(ways, key=lambda name: runs[name][0] / runs[name][1] if runs else 0.0)
        return Batch(ways[how].forward, ways[how].outputs, how)

    serve(prepare)


if __name__ == "__main__":
    main()
