//! The test rig of the AWS side.
