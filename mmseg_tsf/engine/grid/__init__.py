"""Many runs of active learning: what they share, and the processes that train them."""
