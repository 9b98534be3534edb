"""FINISHED RUNS -> ONE TABLE: ours beside the paper's and its competitors'. Knows no network."""
