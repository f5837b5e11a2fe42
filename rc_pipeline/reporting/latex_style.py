"""The looks of the paper where nobody has put an acl.sty beside it, and what every paper begins with."""

from __future__ import annotations

STYLE_FILE = "rc-paper.sty"
STYLE = r"""% Two columns for reports of rc-pipeline; used where there is no acl.sty beside the paper.
\NeedsTeXFormat{LaTeX2e}
\ProvidesPackage{rc-paper}
\RequirePackage[a4paper,hmargin=25mm,top=25mm,bottom=24mm]{geometry}
\RequirePackage{iftex}
\ifPDFTeX
  \RequirePackage[T1]{fontenc}
  \RequirePackage{textcomp}
  \RequirePackage{mathptmx}
  \RequirePackage[scaled=0.9]{helvet}
\else
  \RequirePackage{fontspec}
  \IfFontExistsTF{TeX Gyre Termes}{\setmainfont{TeX Gyre Termes}}{%
    \IfFontExistsTF{Liberation Serif}{\setmainfont{Liberation Serif}}{}}
\fi
\RequirePackage{natbib}
\RequirePackage{xcolor}
\RequirePackage{url}
\twocolumn
\setlength{\columnsep}{6mm}
\setlength{\parindent}{1em}
\setlength{\parskip}{0pt plus 1pt}
\pagestyle{plain}
\frenchspacing
\newcommand{\rc@head}[5]{\@startsection{#1}{#2}{0pt}{#3}{#4}{\normalfont#5\bfseries\raggedright}}
\renewcommand{\section}{\rc@head{section}{1}{-2.2ex plus -.5ex minus -.2ex}{1.1ex plus .2ex}{\large}}
\renewcommand{\subsection}{\rc@head{subsection}{2}{-1.8ex plus -.4ex minus -.2ex}{.7ex plus .1ex}{\normalsize}}
\renewenvironment{abstract}%
  {\begin{center}\normalfont\large\bfseries Abstract\end{center}\vspace{-1ex}\list{}{\leftmargin 5mm\rightmargin 5mm}%
   \item\relax\small}%
  {\endlist}
\renewcommand{\@maketitle}{\newpage\null\vskip 2mm%
  \begin{center}{\Large\bfseries\@title\par}\vskip 5mm{\normalsize\@author\par}\end{center}\vskip 6mm}
\long\def\@makecaption#1#2{\vskip 6pt\sbox\@tempboxa{\small #1: #2}%
  \ifdim\wd\@tempboxa>\hsize{\small #1: #2\par}\else\hbox to\hsize{\hfil\box\@tempboxa\hfil}\fi}
\setcitestyle{round,authoryear,aysep={,},yysep={;},notesep={, }}
\bibliographystyle{plainnat}
\setlength{\bibsep}{1.5pt plus 1pt}
\setlength{\textfloatsep}{12pt plus 2pt minus 4pt}
\setlength{\dbltextfloatsep}{12pt plus 2pt minus 4pt}
\renewcommand{\bibfont}{\footnotesize}
"""

PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\IfFileExists{acl.sty}{\usepackage{acl}\def\rcfonts{\usepackage{times}}}{\usepackage{rc-paper}\def\rcfonts{}}
\usepackage{graphicx}
\usepackage{booktabs}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \rcfonts
\fi
\IfFileExists{microtype.sty}{\usepackage{microtype}}{}
\makeatletter
\@ifpackageloaded{hyperref}{}{\usepackage[hidelinks]{hyperref}}
\makeatother
\IfFileExists{rc-fonts.tex}{\input{rc-fonts.tex}}{}
% A number and where it comes from: rc-pipeline report verify computes it again.
\DeclareRobustCommand{\rcnum}[2]{#2}
% A table as it is, or smaller where it is wider than there is room.
\newsavebox{\rcbox}
\newcommand{\rcfit}[1]{\sbox{\rcbox}{#1}\ifdim\wd\rcbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\rcbox}}%
  \else\usebox{\rcbox}\fi}
\emergencystretch=3em
\hbadness=10000
\vbadness=10000
\setcounter{topnumber}{4}
\setcounter{dbltopnumber}{4}
\setcounter{totalnumber}{6}
\renewcommand{\topfraction}{.9}
\renewcommand{\dbltopfraction}{.9}
\renewcommand{\textfraction}{.05}
\renewcommand{\floatpagefraction}{.8}
\renewcommand{\dblfloatpagefraction}{.8}
"""

# Beside a paper whose text needs them, its author's included: they load slowly, and pdflatex does not know them.
FONTS_FILE = "rc-fonts.tex"
FONTS = r"""\ifPDFTeX\else
  \IfFileExists{xeCJK.sty}{%
    \usepackage{xeCJK}
    \xeCJKDeclareCharClass{CJK}{"0370 -> "04FF}
    \IfFontExistsTF{Noto Serif CJK SC}{\setCJKmainfont{Noto Serif CJK SC}\setCJKmonofont{Noto Sans CJK SC}}{%
      \IfFontExistsTF{FandolSong-Regular.otf}{\setCJKmainfont{FandolSong-Regular.otf}[BoldFont=FandolSong-Bold.otf]}{}}%
  }{}
\fi
"""
