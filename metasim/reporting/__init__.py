"""Reports: what came out, as one HTML file that opens anywhere and asks no network for anything."""
