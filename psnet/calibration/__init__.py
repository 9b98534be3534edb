"""PAIRS OF A MODEL'S EMBEDDINGS -> A THRESHOLD: same person or not, at a false-accept rate that was measured."""

from psnet.calibration.calibrate import calibrate
from psnet.calibration.threshold import CalibrationError, Decision, GroupRates, Threshold

__all__ = ["CalibrationError", "Decision", "GroupRates", "Threshold", "calibrate"]
