"""One example of every operation, with parameters that are not the defaults where it matters."""

from __future__ import annotations

from service.imaging import words

SHAPES: tuple[words.Operation, ...] = (
    words.Resize(width=61, height=40, fit=words.Fit.COVER, gravity=words.Gravity.SMART),
    words.Crop(width=50, height=40, x=30, y=20),
    words.Trim(threshold=20),
    words.Pad(top=3, right=5, bottom=7, left=11, background="#10203040"),
    words.Rotate(angle=-33.5, background="#00000000"),
    words.Flip(),
    words.Flop(),
    words.Border(width=4, color="#ff0000"),
    words.Shadow(x=-5, y=9, blur=3),
    words.RoundCorners(radius=12),
)
LIGHTS: tuple[words.Operation, ...] = (
    words.Brightness(factor=1.5),
    words.Contrast(factor=1.5),
    words.Saturation(factor=1.5),
    words.Gamma(gamma=2),
    words.Hue(angle=90),
    words.Rgb(red=1.5, blue=0.5),
    words.Grayscale(),
    words.Sepia(),
    words.Duotone(strength=0.8),
    words.Colorize(color="#ff0000", opacity=0.3),
    words.Invert(),
    words.AutoContrast(cutoff=5),
    words.Equalize(),
    words.Posterize(bits=2),
    words.Solarize(threshold=100),
)
FILTERS: tuple[words.Operation, ...] = (
    words.Blur(radius=2),
    words.Sharpen(),
    words.Pixelate(size=7),
    words.Denoise(),
    words.Edge(),
    words.Emboss(),
    words.Convolve(kernel=(0, 1, 0, 1, 0, 1, 0, 1, 0)),
    words.Vignette(),
    words.Gradient(),
)
OVERLAYS: tuple[words.Operation, ...] = (
    words.Background(color="#336699"),
    words.Watermark(image="logo", opacity=0.8, scale=0.5),
    words.Text(text="Pixmill", size=20),
)
ALL = (*SHAPES, *LIGHTS, *FILTERS, *OVERLAYS)


def name_of(operation: words.Operation) -> str:
    return operation.op
