pub struct PhaseContext {}
