"""Makes query_runs.py and query_jobs.py importable, for spawned processes too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
