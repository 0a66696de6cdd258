"""The contract on the wire: generated messages and operations, and the conventions of protobuf's JSON form."""
