"""The mesh: contracts, the build graph, blobs, the bus and the worker that every service shares."""
