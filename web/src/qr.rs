//! Texts as QR codes.

use crate::error::Error;
use crate::view::Qr;
use qrcode::{Color, EcLevel, QrCode};

/// Draws a text. Upper-case text takes the denser mode.
///
/// # Errors
/// `input.qr` for a text that no code can hold.
pub fn draw(text: &str) -> Result<Qr, Error> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|error| Error::new("input.qr", format!("The text does not fit into a QR code: {error}.")))?;
    let modules = code.to_colors().into_iter().map(|color| u8::from(color == Color::Dark)).collect();
    Ok(Qr { size: code.width(), modules })
}
