"""Several validators on this machine, real nodes with real CometBFT, beside an application that only checks signatures."""
