"""The transport that on-premises systems share: an agent beside the PIMS connects to us and speaks `protocol`."""
