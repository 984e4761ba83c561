"""The record after the fact: search, verification, anchors, bundles, erasure, backups, replay."""
