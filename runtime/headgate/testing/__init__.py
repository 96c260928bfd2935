"""What tests of the gateway and of its extensions are made of: fakes, conformance kits and samples."""
