"""What all Python tests share: starting clusters (ours and Apache's), waiting, ports, test data. Stdlib only."""
