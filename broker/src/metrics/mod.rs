//! What is counted, behind typed handles.
