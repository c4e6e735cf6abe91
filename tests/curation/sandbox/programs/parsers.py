"""Files made to break, fill or abuse what reads them, and libraries that would run programs."""

from __future__ import annotations

PNG = """
import io, struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
def png(width, height, *chunks):
    head = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
    return b'\\x89PNG\\r\\n\\x1a\\n' + head + b''.join(chunks) + chunk(b'IEND', b'')
rows = chunk(b'IDAT', zlib.compress(bytes(1 << 20)))
def load(data):
    with Image.open(io.BytesIO(data)) as image: image.load()
"""

PARSERS = {
    "png_bomb": PNG + "attempt(lambda: load(png(50_000, 50_000, rows)))",
    "png_bomb_below_the_guard": PNG
    + """
import warnings
warnings.simplefilter('ignore')
attempt(lambda: load(png(13_000, 13_000, rows)))
""",
    "png_bomb_without_guard": PNG
    + """
Image.MAX_IMAGE_PIXELS = None
attempt(lambda: load(png(50_000, 50_000, rows)))
""",
    "png_bomb_for_cv2": PNG
    + """
open('bomb.png', 'wb').write(png(30_000, 30_000, rows))
attempt(lambda: cv2.imread('bomb.png'), None)
""",
    "png_text_bomb": PNG
    + """
text = chunk(b'zTXt', b'k\\0\\0' + zlib.compress(bytes(16 << 20)))
attempt(lambda: load(png(1, 1, text, chunk(b'IDAT', zlib.compress(bytes(4))))))
""",
    "png_wrong_lengths": PNG
    + """
data = bytearray(png(9, 9, rows))
for at in range(8, 40):
    torn = bytes(data[:at]) + b'\\xff\\xff\\xff\\xff' + bytes(data[at + 4:])
    try: load(torn)
    except Exception: pass
    cv2.imdecode(np.frombuffer(torn, 'u1'), 1)
""",
    "jpeg_bomb": """
import io, struct
file = io.BytesIO()
Image.new('RGB', (8, 8)).save(file, 'JPEG')
data = file.getvalue()
at = data.index(b'\\xff\\xc0') + 5
bomb = data[:at] + struct.pack('>HH', 65_000, 65_000) + data[at + 4:]
def load():
    with Image.open(io.BytesIO(bomb)) as image: image.load()
attempt(load)
attempt(lambda: cv2.imdecode(np.frombuffer(bomb, 'u1'), 1), None)
""",
    "tiff_bomb": """
import io, struct
def entry(tag, kind, count, value): return struct.pack('<HHII', tag, kind, count, value)
tags = [(256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 60_000), (279, 4, 1, 2**31)]
data = struct.pack('<2sHIH', b'II', 42, 8, len(tags)) + b''.join(entry(*t) for t in tags) + bytes(8)
def load():
    with Image.open(io.BytesIO(data)) as image: image.load()
attempt(load)
attempt(lambda: cv2.imdecode(np.frombuffer(data, 'u1'), -1), None)
""",
    "gif_frames": """
import io
frame = Image.new('P', (1, 1))
file = io.BytesIO()
others = [frame.point([i % 2] * 256) for i in range(50)]
frame.save(file, 'GIF', save_all=True, append_images=others)
bomb = file.getvalue()[:-1] * 2000
try:
    with Image.open(io.BytesIO(bomb)) as image: image.seek(10_000)
except EOFError: pass
""",
    "postscript": """
import io
data = b'%!PS-Adobe-3.0 EPSF-3.0\\n%%BoundingBox: 0 0 9 9\\n%%EndComments\\n(/work/ran)(w)file\\n'
def load():
    with Image.open(io.BytesIO(data)) as image: image.load()
attempt(load)
""",
    "torn_images": """
import io
random = np.random.default_rng(0)
for kind in ('PNG', 'JPEG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'PPM', 'ICO', 'TGA', 'JPEG2000'):
    file = io.BytesIO()
    Image.new('RGB', (40, 40), 'red').save(file, kind)
    for _ in range(30):
        data = bytearray(file.getvalue())
        for _ in range(8): data[random.integers(len(data))] = random.integers(256)
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height < 10**6: image.load()
        except Exception: pass
        try: cv2.imdecode(np.frombuffer(data, 'u1'), 1)
        except cv2.error: pass
""",
    "torn_fonts": """
import io, matplotlib.font_manager as fonts
from PIL import ImageFont, ImageDraw
random = np.random.default_rng(0)
font = open(fonts.findfont('DejaVu Sans'), 'rb').read()
for _ in range(40):
    data = bytearray(font)
    for _ in range(64): data[random.integers(len(data))] = random.integers(256)
    try: ImageFont.truetype(io.BytesIO(data), 20).getmask('Torn')
    except Exception: pass
""",
    "huge_font": """
import matplotlib.font_manager as fonts
from PIL import ImageFont
path = fonts.findfont('DejaVu Sans')
attempt(lambda: ImageFont.truetype(path, 100_000).getmask('W' * 50))
""",
    "pickled_array": """
import io, os
class Payload:
    def __reduce__(self): return os.system, ('echo x > /work/ran',)
file = io.BytesIO()
np.save(file, np.array([Payload()], dtype=object), allow_pickle=True)
np.load(io.BytesIO(file.getvalue()), allow_pickle=True)
if os.path.exists('/work/ran'): print('BREACH')
""",
    "array_header": """
import io
head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
data = b'\\x93NUMPY\\x01\\x00' + len(head).to_bytes(2, 'little') + head
attempt(lambda: np.load(io.BytesIO(data)))
""",
    "zip_bomb": """
import io, zipfile
file = io.BytesIO()
with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
    with archive.open('zeros', 'w', force_zip64=True) as member:
        for _ in range(16): member.write(bytes(1 << 20))
attempt(lambda: zipfile.ZipFile(file).extractall('/work'))
""",
    "tar_out_of_the_folder": """
import io, os, tarfile
file = io.BytesIO()
with tarfile.open(fileobj=file, mode='w') as archive:
    for name in ('../../SECRET', '/SECRET', '../opt/x'):
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
file.seek(0)
attempt(lambda: tarfile.open(fileobj=file).extractall('/work', filter='fully_trusted'))
""",
    "xml_entities": """
import xml.etree.ElementTree as tree
levels = ''.join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
text = f'<!DOCTYPE x [<!ENTITY l0 "lol">{levels}]><x>&l9;</x>'
try: tree.fromstring(text)
except (tree.ParseError, MemoryError): pass
try: tree.fromstring('<!DOCTYPE x [<!ENTITY s SYSTEM "SECRET">]><x>&s;</x>')
except tree.ParseError: pass
""",
    "tex": """
plt.rcParams['text.usetex'] = True
def draw():
    plt.title(r'\\input{SECRET}\\write18{echo x > /work/ran}')
    plt.savefig('/work/figure.png')
attempt(draw)
plt.close('all')
plt.rcParams['text.usetex'] = False
""",
    "math_text": """
plt.figure()
plt.title('$' + r'\\frac{' * 60 + 'x' + '}{y}' * 60 + '$')
try: plt.savefig('/work/figure.png')
except (ValueError, RecursionError): pass
plt.close('all')
""",
    "matplotlib_settings": """
import matplotlib
open('/work/matplotlibrc', 'w').write('savefig.directory: /etc\\nanimation.ffmpeg_path: /work/x\\n')
matplotlib.rc_file('/work/matplotlibrc')
figure = plt.figure()
for path in ('/etc/x.png', '/opt/x.png', 'SECRET'):
    attempt(lambda: figure.savefig(path, format='png'))
plt.close('all')
""",
    "animation_writer": """
from matplotlib import animation
attempt(lambda: animation.FFMpegWriter().setup(plt.figure(), '/work/x.mp4'))
plt.close('all')
""",
    "camera": "attempt(lambda: cv2.VideoCapture(0).isOpened(), False)",
    "video_writer": """
writer = cv2.VideoWriter('/etc/x.avi', cv2.VideoWriter_fourcc(*'MJPG'), 5, (9, 9))
attempt(writer.isOpened, False)
""",
    "cv2_storage": "attempt(lambda: cv2.FileStorage('SECRET', 0).isOpened(), False)",
    "database": """
import sqlite3
def run(action):
    try: print('BREACH', action())
    except (sqlite3.Error, AttributeError): pass
run(lambda: sqlite3.connect('file:SECRET?mode=rw', uri=True).execute('select * from sqlite_master'))
base = sqlite3.connect('own.db')
run(lambda: base.load_extension('/work/x'))
run(lambda: base.execute("attach 'SECRET' as host"))
base.execute('create table t(x)')
base.commit()
base.close()
""",
}
"""Programs that end well: what is hostile in them is refused or breaks inside."""
