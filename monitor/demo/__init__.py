"""The main job on recorded real history, offline: a local Hub, the recordings, and the story they tell."""
