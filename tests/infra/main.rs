//! The infrastructure in Bicep.
