"""CometBFT orders the blocks and signs them; the application in here carries them out and keeps them."""
