"""Draw the pictures of docs/pipelines.md: each operation, carried out on one small landscape.

    python docs/draw.py

The landscape is drawn here too, so that the whole set can be made anew from nothing.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from service.imaging import words
from service.imaging.operations import apply

FOLDER = Path(__file__).parent / "images"
SIZE = (360, 240)
#: What shows through is drawn as a chessboard.
SQUARE_PX = 10

EXAMPLES: tuple[words.Operation, ...] = (
    words.Resize(width=300, height=240, fit=words.Fit.CONTAIN, background="blur"),
    words.Crop(aspect=1, gravity=words.Gravity.SMART),
    words.Trim(color="#000000", threshold=80),
    words.Pad(top=20, right=20, bottom=20, left=20, background="auto"),
    words.Rotate(angle=12, background="#00000000"),
    words.Flip(),
    words.Flop(),
    words.Border(width=10, color="#8c2f39"),
    words.Shadow(),
    words.RoundCorners(radius=48),
    words.Brightness(factor=1.4),
    words.Contrast(factor=1.6),
    words.Saturation(factor=2),
    words.Gamma(gamma=1.8),
    words.Hue(angle=120),
    words.Rgb(red=1.3, blue=0.6),
    words.Grayscale(),
    words.Sepia(),
    words.Duotone(),
    words.Colorize(color="#ff7f11", opacity=0.4),
    words.Invert(),
    words.AutoContrast(cutoff=2),
    words.Equalize(),
    words.Posterize(bits=2),
    words.Solarize(threshold=140),
    words.Blur(radius=4),
    words.Sharpen(amount=300, radius=2),
    words.Pixelate(size=12),
    words.Denoise(),
    words.Edge(),
    words.Emboss(),
    words.Convolve(kernel=(0, -2, 0, -2, 11, -2, 0, -2, 0)),
    words.Vignette(strength=0.9),
    words.Background(color="#f4d35e"),
    words.Gradient(),
    words.Watermark(image="logo", opacity=0.8),
    words.Text(text="Lake, 2026", size=36, opacity=0.9),
)


def landscape() -> Image.Image:
    """Sun over hills and a lake, with a boat: colours, edges, and even parts."""
    sky = Image.linear_gradient("L").resize(SIZE)
    cold, warm = Image.new("RGB", SIZE, "#3f72af"), Image.new("RGB", SIZE, "#fbd6a2")
    scene = Image.composite(warm, cold, sky.point([min(255, level * 2) for level in range(256)]))
    draw = ImageDraw.Draw(scene)
    draw.ellipse((238, 42, 286, 90), fill="#fff3c4")
    draw.polygon([(0, 140), (60, 78), (110, 120), (170, 60), (240, 140)], fill="#556b8d")
    draw.polygon([(140, 62), (170, 60), (190, 80), (168, 76), (152, 84)], fill="#f5f7fa")
    draw.polygon([(150, 140), (250, 98), (360, 140)], fill="#3e5c50")
    draw.rectangle((0, 140, *SIZE), fill="#2d6a8e")
    for line in range(145, 240, 7):
        draw.line((20 + line % 31, line, 330 - line % 47, line), fill="#4f8fb4", width=2)
    draw.polygon([(96, 190), (168, 190), (154, 206), (110, 206)], fill="#8c2f39")
    draw.polygon([(130, 130), (130, 184), (164, 184)], fill="#fdfdfd")
    draw.polygon([(126, 140), (126, 184), (104, 184)], fill="#f28f3b")
    return scene.filter(ImageFilter.SMOOTH)


def logo() -> Image.Image:
    """A mark with transparent parts."""
    mark = Image.new("RGBA", (160, 160))
    draw = ImageDraw.Draw(mark)
    draw.ellipse((4, 4, 156, 156), fill="#ffffff")
    for corner, colour in (((46, 46), "#8c2f39"), ((84, 46), "#f28f3b"), ((46, 84), "#3f72af")):
        draw.rectangle((*corner, corner[0] + 32, corner[1] + 32), fill=colour)
    return mark


def before(operation: words.Operation) -> Image.Image:
    """The landscape, or what shows better what this operation does."""
    scene = landscape()
    if isinstance(operation, words.Trim):
        framed = Image.new("RGB", (SIZE[0] + 80, SIZE[1] + 60))
        framed.paste(scene, (40, 30))
        return framed
    if isinstance(operation, words.Background):
        return apply(scene, words.RoundCorners(share=1))
    if isinstance(operation, words.AutoContrast | words.Equalize):
        return scene.point([70 + level // 3 for level in range(256)] * 3)
    if isinstance(operation, words.Denoise):
        return speckled(scene)
    return scene


def speckled(scene: Image.Image) -> Image.Image:
    """The scene with black and white specks on one pixel in fifty."""
    for number in range(SIZE[0] * SIZE[1] // 50):
        at = (number * 7_919 % SIZE[0], number * 104_729 // 7 % SIZE[1])
        scene.putpixel(at, (255 * (number % 2),) * 3)
    return scene


def shown(image: Image.Image) -> Image.Image:
    """RGB, what is transparent on a chessboard."""
    if image.mode == "RGB":
        return image
    board = Image.new("RGB", image.size, "#ffffff")
    draw = ImageDraw.Draw(board)
    for top in range(0, image.height, SQUARE_PX):
        for left in range(top // SQUARE_PX % 2 * SQUARE_PX, image.width, 2 * SQUARE_PX):
            draw.rectangle((left, top, left + SQUARE_PX - 1, top + SQUARE_PX - 1), fill="#dddddd")
    board.paste(image, mask=image.getchannel("A"))
    return board


def main() -> None:
    """Write a file an operation, and the landscape itself."""
    FOLDER.mkdir(exist_ok=True)
    shown(landscape()).save(FOLDER / "op-none.webp", quality=72, method=6)
    for operation in EXAMPLES:
        image = apply(before(operation), operation, {"logo": logo()})
        shown(image).save(FOLDER / f"op-{operation.op}.webp", quality=72, method=6)


if __name__ == "__main__":
    main()
