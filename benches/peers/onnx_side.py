"""ONNX Runtime on the processor, with all its optimisations of the graph.

    onnx_side.py MODEL FILE INPUTS PRECISION
"""

import sys

import onnxruntime

from serve import Batch, read_inputs, serve, threads


def session(file: str, size: int) -> onnxruntime.InferenceSession:
    """Each size of a batch has its own session, in which the shapes are known."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads()
    options.add_free_dimension_override_by_name("batch", size)
    # Its threads spin while it works, which makes it faster, and no longer than that: the others have their turn then.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Serves; the file is loaded for each size."""
    _, file, path, _ = sys.argv[1:]
    inputs = read_inputs(path)

    def prepare(size: int) -> Batch:
        """Inputs are taken where they lie."""
        loaded, given = session(file, size), {"inputs": inputs[:size]}
        return Batch(lambda: loaded.run(["outputs"], given), lambda outputs: outputs[0])

    serve(prepare)


if __name__ == "__main__":
    main()
